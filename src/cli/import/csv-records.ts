/** Cuts the lines of a CSV file into records. */

import { parse } from 'csv-parse/sync';
import { LINE_BYTES_MAX, type Line } from './read-lines.ts';
import type { Row } from './row.ts';

/** A row over more lines than this counts as a quote that was opened by mistake. */
const ROW_LINES_MAX = 1000;

/** A row before its cells have columns. */
export interface CsvRecord extends Omit<Row, 'columns' | 'cells'> {
  readonly cells: readonly string[];
}

/** How many cells a record must have. */
export interface Width {
  readonly width: number;
  readonly fits: (cells: readonly string[]) => boolean;
}

/**
 * Yields the records in order, without the blank lines. Without `width`, records may have any number of cells.
 *
 * csv-parse reads what a record contains. Which lines belong to a record is decided here, because a
 * quote that is opened by mistake would otherwise take in the rest of the file. If the lines after a
 * quote do not make a record (no closing quote in {@link ROW_LINES_MAX} lines or 1 MiB, or not as
 * many cells as the header has), only the first line is faulty, and reading goes on with the second.
 */
export async function* readRecords(
  lines: AsyncIterable<Line>,
  delimiter: string,
  width?: Width,
): AsyncGenerator<CsvRecord> {
  const waiting: Line[] = [];
  const next = (atEnd: boolean): CsvRecord | undefined => takeRecord(waiting, delimiter, width, atEnd);
  for await (const line of lines) {
    waiting.push(line);
    for (let record = next(false); record; record = next(false)) yield record;
  }
  for (let record = next(true); record; record = next(true)) yield record;
}

/** Takes the next record out of `lines`. Undefined: it needs more of them. */
function takeRecord(
  lines: Line[],
  delimiter: string,
  width: Width | undefined,
  atEnd: boolean,
): CsvRecord | undefined {
  while (lines[0] && isBlank(lines[0])) lines.shift();
  let raw = '';
  let isOpen = false;
  for (const [index, line] of lines.entries()) {
    if (line.fault !== undefined) return takeFaulty(lines, index === 0 ? line.fault : NOT_CLOSED);
    raw = index === 0 ? line.text : `${raw}\n${line.text}`;
    if (hasOddQuotes(line.text)) isOpen = !isOpen;
    if (isOpen) continue;
    const cells = cellsOf(raw, delimiter);
    if (typeof cells === 'string') return takeFaulty(lines, cells);
    if (width && !width.fits(cells)) {
      const wrong = `the row has ${cells.length} cells, the header has ${width.width}`;
      return takeFaulty(lines, index === 0 ? wrong : `${NOT_CLOSED}; read up to its closing quote, ${wrong}`);
    }
    const [first = line] = lines.splice(0, index + 1);
    return { line: first.number, raw, endOffset: line.endOffset, cells };
  }
  const isStuck = atEnd || lines.length > ROW_LINES_MAX || raw.length > LINE_BYTES_MAX;
  return isStuck ? takeFaulty(lines, NOT_CLOSED) : undefined;
}

const NOT_CLOSED = 'a quote is opened and not closed';

function takeFaulty(lines: Line[], fault: string): CsvRecord | undefined {
  const line = lines.shift();
  return line && { line: line.number, raw: line.text, endOffset: line.endOffset, cells: [], fault };
}

/** The cells of one record, or why they cannot be read. */
function cellsOf(raw: string, delimiter: string): string[] | string {
  if (!raw.includes('"')) return raw.split(delimiter);
  try {
    return parse(raw, { delimiter, relax_column_count: true, record_delimiter: ['\0'] })[0] ?? [];
  } catch (error) {
    return `broken quotes: ${(error as Error).message.replace(/ at line \d+/, '')}`;
  }
}

/** Blank means no cells. A line of tabs is a TSV row with empty cells. */
function isBlank(line: Line): boolean {
  return line.fault === undefined && /^ *$/.test(line.text);
}

function hasOddQuotes(text: string): boolean {
  return text.split('"').length % 2 === 0;
}
