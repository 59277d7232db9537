/** MikroORM type of a uuid column that holds 16 bytes which are no UUID: 32 hexadecimal digits in the program. */

import { p, Type } from '@mikro-orm/core';

class HexType extends Type<string, string> {
  override convertToJSValue(value: string): string {
    return value.replaceAll('-', '');
  }

  override getColumnType(): string {
    return 'uuid';
  }

  override compareAsType(): string {
    return 'string';
  }
}

/** A property of this type. */
export const hex = () => p.type(HexType).$type<string>();
