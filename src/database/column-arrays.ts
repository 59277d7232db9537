/**
 * Columns of an entity as arrays, one per column, for a statement that inserts many rows at once. Names,
 * types and values come from MikroORM's metadata.
 */

import type { EntityMetadata, EntityProperty } from '@mikro-orm/core';

import { BinaryArray } from './binary-array.ts';
import type { HasNullValue } from './map-rows.ts';

interface ArrayType {
  readonly name: ConstructorParameters<typeof BinaryArray>[0];
  readonly append: (array: BinaryArray, value: never) => void;
  /** SQL of a value that every column of this type accepts. */
  readonly sample: string;
}

/** By the type of the column. An empty map is NULL, as it is for MikroORM. */
const ARRAY_TYPES: Readonly<Record<string, ArrayType>> = {
  uuid: { name: 'uuid', append: (array, value: string) => array.uuid(value), sample: 'gen_random_uuid()' },
  text: {
    name: 'text',
    append: (array, value: string) => array.text(value),
    sample: "''",
  },
  boolean: { name: 'bool', append: (array, value: boolean) => array.bool(value), sample: 'false' },
  smallint: { name: 'int2', append: (array, value: number) => array.int2(value), sample: '0' },
  int: { name: 'int4', append: (array, value: number) => array.int4(value), sample: '0' },
  bigint: { name: 'int8', append: (array, value: bigint) => array.int8(value), sample: '0' },
  'timestamptz(6)': {
    name: 'timestamptz',
    append: (array, micros: bigint) => array.timestamptz(micros),
    sample: 'now()',
  },
  jsonb: {
    name: 'jsonb',
    append: (array, map: ReadonlyMap<string | number, string | bigint>) =>
      map.size === 0 ? array.null() : array.jsonb(jsonOf(map)),
    sample: "'{}'",
  },
};

/** Amounts are texts in the JSON, as `types/quantities.ts` reads them. */
function jsonOf(map: ReadonlyMap<string | number, string | bigint>): string {
  const entries = [...map].map(([key, value]) => [key, String(value)] as const);
  return JSON.stringify(Object.fromEntries(entries));
}

interface Column<Row> {
  readonly name: string;
  readonly type: ArrayType;
  /** The value that stands for NULL, apart from undefined. */
  readonly nullValue: unknown;
  readonly valueOf: (row: Row) => unknown;
}

/** Made once per entity. */
export class ColumnArrays<Row extends object> {
  readonly #columns: readonly Column<Row>[];

  /** Every column but `without`. Throws a TypeError for a column of a type that it does not know. */
  constructor(meta: EntityMetadata<Row>, without: readonly string[]) {
    this.#columns = meta.props
      .filter(({ name, columnTypes }) => columnTypes.length > 0 && !without.includes(name))
      .map((prop) => columnOf(prop));
  }

  /** Names of the columns, separated by commas. */
  get names(): string {
    return this.#columns.map(({ name }) => name).join(', ');
  }

  /**
   * `unnest($2::uuid[]), unnest($3::text[]), …`: a select list that makes the rows of the parameters,
   * numbered from `first`. One unnest() of all arrays in FROM would first copy every column into a
   * store of its own, which costs 5 % more CPU time a row.
   */
  selectList(first: number): string {
    return this.#columns.map(({ type }, index) => `unnest($${first + index}::${type.name}[])`).join(', ');
  }

  /** The same arrays with one made-up value each, as SQL. */
  sampleArrays(): string {
    return this.#columns.map(({ type }) => `ARRAY[${type.sample}]::${type.name}[]`).join(', ');
  }

  /** One binary array per column, in the order of `names`. */
  parameters(rows: readonly Row[]): (Buffer | null)[] {
    return this.#columns.map(({ type, nullValue, valueOf }) => {
      const array = new BinaryArray(type.name, rows.length * 24 + 64);
      for (const row of rows) {
        const value = valueOf(row);
        if (value === undefined || value === nullValue) array.null();
        else type.append(array, value as never);
      }
      return array.parameter();
    });
  }
}

function columnOf<Row extends object>(prop: EntityProperty<Row>): Column<Row> {
  const [name = '', columnType = ''] = [prop.fieldNames[0], prop.columnTypes[0]];
  const type = ARRAY_TYPES[columnType];
  if (type === undefined) throw new TypeError(`no arrays of ${columnType}, the type of ${name}`);
  const [outer = prop.name, inner] = (prop.embedded ?? []) as string[];
  const member = outer as keyof Row;
  const customType = prop.customType as unknown;
  const nullValue = (customType as Partial<HasNullValue> | undefined)?.nullValue;
  if (inner === undefined) return { name, type, nullValue, valueOf: (row) => row[member] };
  return {
    name,
    type,
    nullValue,
    valueOf: (row) => (row[member] as Record<string, unknown> | undefined)?.[inner],
  };
}
