/** MikroORM type of a nullable text column: an empty text of the program is NULL in the table. */

import { p, Type } from '@mikro-orm/core';

import type { HasNullValue } from '../map-rows.ts';

class OptionalText extends Type<string, string | null> implements HasNullValue {
  readonly nullValue = '';

  override convertToDatabaseValue(value: string | null | undefined): string | null {
    return value || null;
  }

  override getColumnType(): string {
    return 'text';
  }

  override compareAsType(): string {
    return 'string';
  }
}

const property = () => p.type(OptionalText).$type<string>().collation('C');

/** A property of this type. Its column is nullable, but its value is always a text. */
export const optionalText = () => property().nullable() as unknown as ReturnType<typeof property>;
