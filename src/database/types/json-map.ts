/** MikroORM type of a nullable jsonb column that holds texts or amounts by key: an empty map is NULL in the table. */

import { p, Type } from '@mikro-orm/core';

import type { HasNullValue } from '../map-rows.ts';

/** The JSON of a map. Amounts are texts in it: its numbers are floats for many readers. */
export function jsonOfMap(map: ReadonlyMap<string | number, string | bigint>): string {
  // fromEntries() defines own members, so a key named "__proto__" survives.
  return JSON.stringify(Object.fromEntries([...map].map(([key, value]) => [key, String(value)])));
}

/** A property whose column is nullable, but whose value is always a map. */
function jsonMap<Key extends string | number, Value extends string | bigint>(
  keyOf: (text: string) => Key,
  valueOf: (text: string) => Value,
) {
  type JsonMap = ReadonlyMap<Key, Value>;
  class JsonMapType extends Type<JsonMap, string | null> implements HasNullValue {
    readonly nullValue: JsonMap = new Map();

    override convertToDatabaseValue(value: JsonMap | string | null | undefined): string | null {
      // A text was converted before: MikroORM converts some values twice.
      if (!(value instanceof Map)) return typeof value === 'string' ? value : null;
      return value.size === 0 ? null : jsonOfMap(value as JsonMap);
    }

    /** `pg` has parsed the JSON already. */
    override convertToJSValue(value: unknown): JsonMap {
      if (value instanceof Map) return value as JsonMap;
      const entries = Object.entries(value as Record<string, string>);
      return new Map(entries.map(([key, text]) => [keyOf(key), valueOf(text)]));
    }

    override getColumnType(): string {
      return 'jsonb';
    }

    override compareAsType(): string {
      return 'string';
    }
  }
  const property = () => p.type(JsonMapType).$type<JsonMap>();
  return property().nullable() as unknown as ReturnType<typeof property>;
}

/** Texts by key. */
export const textMap = () => jsonMap(String, String);

/** Amounts by the number of their kind. */
export const quantities = () => jsonMap(Number, BigInt);
