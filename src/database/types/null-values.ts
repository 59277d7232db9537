/**
 * Column types that have a value for NULL, such as the empty text. MikroORM never asks a type what NULL
 * means: its hydrator sets `null` by itself. The hydrator here puts the type's own value in its place.
 */

import { type EntityData, type EntityMetadata, ObjectHydrator, Type } from '@mikro-orm/core';

/** A type for nullable columns whose properties are never null. */
export interface HasNullValue {
  readonly nullValue: unknown;
}

/** Hydrates as MikroORM does; a NULL becomes `nullValue` where the type of its column has one. */
export class NullValueHydrator extends ObjectHydrator {
  override hydrate<T extends object>(
    entity: T,
    meta: EntityMetadata<T>,
    data: EntityData<T>,
    ...rest: RestOfHydrate
  ): void {
    super.hydrate(entity, meta, data, ...rest);
    for (const { name, customType } of meta.hydrateProps) {
      if (hasNullValue(customType) && data[name] === null) {
        (entity as Record<string, unknown>)[name] = customType.nullValue;
      }
    }
  }
}

type RestOfHydrate =
  Parameters<ObjectHydrator['hydrate']> extends [unknown, unknown, unknown, ...infer R] ? R : never;

function hasNullValue(type: unknown): type is HasNullValue {
  return type instanceof Type && 'nullValue' in type;
}
