/** Turns a file of any format that the importer takes into rows of named cells. */

import { readCsv } from './read-csv.ts';
import type { Line } from './read-lines.ts';
import { Unusable, type Cell } from './values.ts';

/** Formats by name, as `--format` takes them. */
export type Format = 'csv' | 'tsv' | 'ndjson';

/** One row of the file: its cells, or the fault that kept them from being read. */
export interface Row {
  /** Line on which the row begins, from 1: the number that an editor shows; a CSV header has one too. */
  readonly line: number;
  readonly raw: string;
  /** Bytes of the file up to and including this row. */
  readonly endOffset: number;
  /** Names of the columns; the same array for every row of a CSV file. */
  readonly columns: readonly string[];
  readonly cells: readonly Cell[];
  readonly fault?: string;
}

/** A file opened for reading: what stands above the rows, and the rows. */
export interface RowSource {
  /** Text of the header; empty for NDJSON and for a file without one. */
  readonly header: string;
  /** Columns of the header; empty for NDJSON. */
  readonly columns: readonly string[];
  readonly rows: AsyncIterable<Row>;
}

/** Nesting of JSON that is looked into; deeper values cannot be mapped. */
const DEPTH_MAX = 8;

/**
 * Reads the header (CSV, TSV) and hands over the rows one by one as they are asked for. Rejects
 * with an Error that says what is wrong with the header; a fault of a row is part of the row.
 */
export async function openRows(
  lines: AsyncIterable<Line>,
  format: Format,
  delimiter: string,
): Promise<RowSource> {
  if (format === 'ndjson') return { header: '', columns: [], rows: jsonRows(lines) };
  const records = readCsv(lines, delimiter);
  const first = await records.next();
  if (first.done) return { header: '', columns: [], rows: noRows() };
  const header = first.value;
  if (header.fault !== undefined)
    throw new Error(`the header in line ${header.line} cannot be read: ${header.fault}`);
  const columns = header.cells.map((name) => name.trim());
  const twice = columns.filter((name, index) => name !== '' && columns.indexOf(name) !== index);
  if (twice.length > 0)
    throw new Error(`the header has columns of the same name: ${[...new Set(twice)].join(', ')}`);
  return { header: header.raw, columns, rows: csvRows(records, columns) };
}

async function* noRows(): AsyncGenerator<Row> {}

async function* csvRows(
  records: AsyncIterable<Omit<Row, 'columns'>>,
  columns: readonly string[],
): AsyncGenerator<Row> {
  for await (const record of records) yield { ...record, columns };
}

async function* jsonRows(lines: AsyncIterable<Line>): AsyncGenerator<Row> {
  for await (const line of lines) {
    if (line.text.trim() === '' && line.fault === undefined) continue;
    const place = { line: line.number, raw: line.text, endOffset: line.endOffset };
    yield { ...place, ...(line.fault === undefined ? cellsOf(line.text) : faulty(line.fault)) };
  }
}

function faulty(fault: string): Pick<Row, 'columns' | 'cells' | 'fault'> {
  return { columns: [], cells: [], fault };
}

function cellsOf(text: string): Pick<Row, 'columns' | 'cells' | 'fault'> {
  let value: unknown;
  try {
    value = JSON.parse(text, keepDigits);
  } catch (error) {
    return faulty(`not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value) || value instanceof Digits) {
    return faulty('not a JSON object');
  }
  const columns: string[] = [];
  const cells: Cell[] = [];
  flatten(value, '', 1, columns, cells);
  return { columns, cells };
}

/** A JSON number as it was written: JavaScript would round it beyond 2^53. */
class Digits {
  readonly source: string;

  constructor(source: string) {
    this.source = source;
  }
}

// ES2024's types do not know the third argument of a reviver yet.
const keepDigits = ((_key: string, value: unknown, context: { source: string }) =>
  typeof value === 'number' ? new Digits(context.source) : value) as (key: string, value: unknown) => unknown;

/** `{"labels": {"team": "a"}}` is a column `labels.team`; the contract's camelCase names need no more. */
function flatten(object: object, prefix: string, depth: number, columns: string[], cells: Cell[]): void {
  for (const [key, value] of Object.entries(object) as [string, unknown][]) {
    const name = prefix + key;
    if (typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Digits)) {
      if (depth < DEPTH_MAX) {
        flatten(value, `${name}.`, depth + 1, columns, cells);
        continue;
      }
    }
    columns.push(name);
    cells.push(toCell(value));
  }
}

function toCell(value: unknown): Cell {
  if (value === null) return undefined;
  if (typeof value === 'string') return value;
  if (typeof value === 'boolean') return String(value);
  if (value instanceof Digits) return value.source;
  return new Unusable(Array.isArray(value) ? 'an array' : 'an object');
}
