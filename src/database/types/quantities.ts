/** MikroORM type of a nullable jsonb column that holds amounts by kind: an empty map is NULL in the table. */

import { p, Type } from '@mikro-orm/core';

import type { HasNullValue } from '../map-rows.ts';

type Amounts = ReadonlyMap<number, bigint>;

class QuantitiesType extends Type<Amounts, string | null> implements HasNullValue {
  readonly nullValue: Amounts = new Map();

  /** Amounts are texts in the JSON: its numbers are floats for many readers. */
  override convertToDatabaseValue(value: Amounts | string | null | undefined): string | null {
    // A text was converted before: MikroORM converts some values twice.
    if (!(value instanceof Map)) return typeof value === 'string' ? value : null;
    const amounts = [...(value as Amounts)].map(([kind, amount]) => [kind, String(amount)] as const);
    return amounts.length === 0 ? null : JSON.stringify(Object.fromEntries(amounts));
  }

  /** `pg` has parsed the JSON already. */
  override convertToJSValue(value: unknown): Amounts {
    if (value instanceof Map) return value as Amounts;
    const amounts = Object.entries(value as Record<string, string>);
    return new Map(amounts.map(([kind, amount]) => [Number(kind), BigInt(amount)]));
  }

  override getColumnType(): string {
    return 'jsonb';
  }

  override compareAsType(): string {
    return 'string';
  }
}

const property = () => p.type(QuantitiesType).$type<Amounts>();

/** A property of this type. Its column is nullable, but its value is always a map. */
export const quantities = () => property().nullable() as unknown as ReturnType<typeof property>;
