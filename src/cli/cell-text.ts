/** Values of columns as text, and counts read back. */

import { parseCount } from './import/values.ts';
import { decimalText } from './money.ts';
import { timestampOf } from './time.ts';

/** What a column holds: texts, counts up to 2^63-1, microseconds since 1970, or billionths of a currency's unit. */
export type ColumnKind = 'text' | 'count' | 'micros' | 'nanos';

/** A column of a file. */
export interface Column<Row> {
  readonly name: string;
  readonly kind: ColumnKind;
  /** A text if the kind is `text`, a number otherwise. Undefined and an empty text: there is no value. */
  readonly value: (row: Row) => string | bigint | undefined;
}

/** A value as text. Undefined: there is none. */
export function cellText(kind: ColumnKind, value: string | bigint | undefined): string {
  if (value === undefined || typeof value === 'string') return value ?? '';
  if (kind === 'nanos') return decimalText(value, 9);
  return kind === 'micros' ? timeOf(value) : String(value);
}

/** Microseconds since 1970 in RFC 3339. Six decimals, so that times sort as texts. */
export function timeOf(micros: bigint): string {
  const { seconds, nanos } = timestampOf(micros);
  const moment = new Date(Number(seconds) * 1000).toISOString().slice(0, 19);
  return `${moment}.${String(nanos / 1000).padStart(6, '0')}Z`;
}

/** The names of an enum with their values. */
export type EnumOf = Readonly<Record<string, number>>;

/**
 * Makes texts of the values of an enum: the name without the prefix, `OPENAI`; empty for the unspecified value; the
 * number of a value that this program does not know.
 */
export function enumText(values: EnumOf, prefix: string): (value: number) => string {
  const names = new Map(Object.entries(values).map(([name, value]) => [value, name.slice(prefix.length)]));
  names.set(0, '');
  return (value) => names.get(value) ?? String(value);
}

/** Throws an Error that says why the text is no count. */
export function readCount(cell: string): bigint {
  const number = parseCount(cell);
  if (typeof number === 'bigint') return number;
  throw new Error(number.reason);
}
