/** Reads NDJSON: one object per line, whose nested values are columns like `usage.input_tokens`. */

import type { Line } from './read-lines.ts';
import { Unusable, type Cell, type Row } from './row.ts';

/** Objects in deeper levels become no columns. */
const DEPTH_MAX = 8;

/** A JSON number as it is written. JavaScript would round it above 2^53. */
class Digits {
  readonly source: string;

  constructor(source: string) {
    this.source = source;
  }
}

// The types of ES2024 do not know the third argument of a reviver.
const keepDigits = ((_key: string, value: unknown, context: { source: string }) =>
  typeof value === 'number' ? new Digits(context.source) : value) as (key: string, value: unknown) => unknown;

/** Yields a row per line in order, without the blank lines. */
export async function* readNdjson(lines: AsyncIterable<Line>): AsyncGenerator<Row> {
  for await (const { number, text, endOffset, fault } of lines) {
    if (text.trim() === '' && fault === undefined) continue;
    const columns: string[] = [];
    const cells: Cell[] = [];
    const reason = fault ?? readObject(text, columns, cells);
    const row = { line: number, raw: text, endOffset, columns, cells };
    yield reason === undefined ? row : { ...row, fault: reason };
  }
}

/** Adds to `columns` and `cells`, or returns why the text is not an object. */
function readObject(text: string, columns: string[], cells: Cell[]): string | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text, keepDigits);
  } catch (error) {
    return `not JSON: ${(error as Error).message}`;
  }
  if (!isObject(value)) return 'not a JSON object';
  flatten(value, '', 1, columns, cells);
  return undefined;
}

function flatten(object: object, prefix: string, depth: number, columns: string[], cells: Cell[]): void {
  for (const [key, value] of Object.entries(object) as [string, unknown][]) {
    if (isObject(value) && depth < DEPTH_MAX) {
      flatten(value, `${prefix}${key}.`, depth + 1, columns, cells);
    } else {
      columns.push(prefix + key);
      cells.push(toCell(value));
    }
  }
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Digits);
}

function toCell(value: unknown): Cell {
  if (value === null) return undefined;
  if (value instanceof Digits) return value.source;
  if (typeof value === 'object') return new Unusable(Array.isArray(value) ? 'an array' : 'an object');
  return typeof value === 'string' ? value : JSON.stringify(value);
}
