/** MikroORM types of nullable columns of which NULL stands for one value of the program: the empty text, 0, and so on. */

import { p, Type } from '@mikro-orm/core';

import type { HasNullValue } from '../map-rows.ts';

/** A property whose column is nullable, but whose value is always there: `nullValue` in place of NULL. */
function optional<T extends string | number>(columnType: string, nullValue: T) {
  class OptionalType extends Type<T, T | null> implements HasNullValue {
    readonly nullValue = nullValue;

    override convertToDatabaseValue(value: T | null | undefined): T | null {
      return value === nullValue ? null : (value ?? null);
    }

    override getColumnType(): string {
      return columnType;
    }

    override compareAsType(): string {
      return typeof nullValue;
    }
  }
  const property = () => p.type(OptionalType).$type<T>();
  return property().nullable() as unknown as ReturnType<typeof property>;
}

/** A text; NULL is the empty one. */
export const optionalText = () => optional<string>('text', '').collation('C');

/** A uuid as text; NULL is the empty text. */
export const optionalUuid = () => optional<string>('uuid', '');

/** A number of 16 bits; NULL is `nullValue`. */
export const optionalSmallint = (nullValue = 0) => optional<number>('smallint', nullValue);

/** A number of 32 bits; NULL is 0. */
export const optionalInteger = () => optional<number>('int', 0);

/** A number of 64 bits; NULL is undefined. */
export const optionalBigint = () => {
  const property = () => p.bigint().$type<bigint | undefined>();
  return property().nullable() as unknown as ReturnType<typeof property>;
};
