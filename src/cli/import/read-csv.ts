/** Reads CSV and TSV, and goes on after broken rows. */

import { chain } from './head.ts';
import { findHeader } from './header.ts';
import { readRecords, type CsvRecord, type Width } from './csv-records.ts';
import { isExported } from './layouts/exported.ts';
import { nestedCells } from './json-rows.ts';
import type { Line } from './read-lines.ts';
import type { FileHints, Row, RowSource } from './row.ts';
import { findSeparator, nameOfSeparator, separatorLine } from './separator.ts';
import { SummaryRows } from './summary.ts';

/** The separator and the header are found in so many lines. */
const HEAD_LINES = 50;
/** Repeated headers are noted one by one, up to so many. */
const NOTED_REPEATS_MAX = 10;

/**
 * Finds the separator, unless `delimiter` is given, and the header, and adds what was noticed to `notes`. The rows
 * are read when they are asked for. Rejects with an Error if the header is unusable.
 */
export async function openCsv(
  lines: AsyncIterable<Line>,
  { delimiter, format }: FileHints,
  notes: string[],
): Promise<RowSource> {
  const rest = lines[Symbol.asyncIterator]();
  const head: Line[] = [];
  while (head.length < HEAD_LINES) {
    const line = await rest.next();
    if (line.done) break;
    head.push(line.value);
  }
  const hint = separatorLine(head[0]?.text ?? '');
  if (hint !== undefined) {
    head.shift();
    notes.push('the first line says which separator the file has, and is left out');
  }
  const separator =
    delimiter ??
    hint ??
    findSeparator(head.map(({ text }) => text).join('\n'), format === 'tsv' ? '\t' : undefined);
  if (separator !== ',') notes.push(`separated by ${nameOfSeparator(separator)}`);
  const { header, skipped, end } = await locateHeader(head, separator);
  if (!header) return { format: 'csv', columns: [], rows: noRows(), notes };
  if (skipped > 0) notes.push(`the header is in line ${header.line}; what is above it is left out`);
  const columns = columnsOf(header);
  const body = chain(head.slice(end), rest);
  const rows = readBody(readRecords(body, separator, widthOf(header, columns)), columns, notes);
  return { format: 'csv', columns, rows, notes };
}

/** The header record, how many filled records are above it, and the index of the line after it. */
async function locateHeader(
  head: readonly Line[],
  separator: string,
): Promise<{ header: CsvRecord | undefined; skipped: number; end: number }> {
  const records: CsvRecord[] = [];
  for await (const record of readRecords(chain(head, noLines()), separator)) records.push(record);
  const filled = records.filter(({ cells, fault }) => fault !== undefined || !isEmpty(cells));
  const [first] = filled;
  if (!first) return { header: undefined, skipped: 0, end: 0 };
  if (first.fault !== undefined)
    throw new Error(`the header in line ${first.line} cannot be read: ${first.fault}`);
  const found = findHeader(filled.map(({ cells }) => cells));
  if ('reason' in found) throw new Error(found.reason);
  const header = filled[found.index];
  const end = head.findIndex(({ endOffset }) => endOffset === header?.endOffset) + 1;
  return { header, skipped: found.index, end };
}

function columnsOf(header: CsvRecord): string[] {
  const columns = header.cells.map((name) => name.trim());
  while (columns.length > 1 && columns.at(-1) === '') columns.pop();
  const twice = columns.filter((name, index) => name !== '' && columns.indexOf(name) !== index);
  if (twice.length > 0)
    throw new Error(`the header has columns of the same name: ${[...new Set(twice)].join(', ')}`);
  return columns;
}

/** Columns at the end without a name need no cells. Cells after the last column do no harm if they are empty. */
function widthOf(header: CsvRecord, columns: readonly string[]): Width {
  return {
    width: columns.length,
    fits: (cells) => cells.length >= columns.length && isEmpty(cells.slice(header.cells.length)),
  };
}

/** The rows without those that are no data, and with a fault if they are no usage. */
async function* readBody(
  records: AsyncIterable<CsvRecord>,
  columns: readonly string[],
  notes: string[],
): AsyncGenerator<Row> {
  const summaries = isExported(columns) ? undefined : new SummaryRows(true);
  let repeats = 0;
  for await (const record of records) {
    if (record.fault !== undefined) {
      yield { ...record, columns };
      continue;
    }
    if (isEmpty(record.cells)) continue;
    if (columns.every((name, index) => record.cells[index]?.trim() === name)) {
      repeats += 1;
      if (repeats <= NOTED_REPEATS_MAX) notes.push(`line ${record.line} repeats the header and is left out`);
      continue;
    }
    const cells = record.cells.length > columns.length ? record.cells.slice(0, columns.length) : record.cells;
    const fault = summaries?.reasonFor(columns, cells);
    yield fault === undefined
      ? { ...record, ...withNested(columns, cells) }
      : { ...record, columns, cells: [], fault };
  }
}

/** Columns in which exporters such as Langfuse and ClickHouse put an object with the counts, as JSON. */
const NESTED = /usage|attributes/i;

/** Adds the values of such objects as columns, as in a JSON file. */
function withNested(columns: readonly string[], cells: readonly string[]): Pick<Row, 'columns' | 'cells'> {
  const nested = columns.flatMap((column, index) => {
    const cell = cells[index] ?? '';
    return cell.startsWith('{') && NESTED.test(column) ? [...nestedCells(column, cell)] : [];
  });
  if (nested.length === 0) return { columns, cells };
  return {
    columns: [...columns, ...nested.map(([column]) => column)],
    cells: [...cells, ...nested.map(([, cell]) => cell)],
  };
}

function isEmpty(cells: readonly string[]): boolean {
  return cells.every((cell) => cell.trim() === '');
}

function noLines(): AsyncIterator<Line> {
  return { next: () => Promise.resolve({ done: true, value: undefined }) };
}

async function* noRows(): AsyncGenerator<Row> {
  // An empty file.
}
