/** MikroORM type of a nullable jsonb column that holds texts by key: an empty map is NULL in the table. */

import { p, Type } from '@mikro-orm/core';

import type { HasNullValue } from '../map-rows.ts';

type TextMap = ReadonlyMap<string, string>;

class TextMapType extends Type<TextMap, string | null> implements HasNullValue {
  readonly nullValue: TextMap = new Map();

  override convertToDatabaseValue(value: TextMap | string | null | undefined): string | null {
    // A text was converted before: MikroORM converts some values twice.
    if (!(value instanceof Map)) return typeof value === 'string' ? value : null;
    // fromEntries() defines own members, so a key named "__proto__" survives.
    return value.size === 0 ? null : JSON.stringify(Object.fromEntries(value));
  }

  /** `pg` has parsed the JSON already. */
  override convertToJSValue(value: unknown): TextMap {
    return value instanceof Map
      ? (value as TextMap)
      : new Map(Object.entries(value as Record<string, string>));
  }

  override getColumnType(): string {
    return 'jsonb';
  }

  override compareAsType(): string {
    return 'string';
  }
}

const property = () => p.type(TextMapType).$type<TextMap>();

/** A property of this type. Its column is nullable, but its value is always a map. */
export const textMap = () => property().nullable() as unknown as ReturnType<typeof property>;
