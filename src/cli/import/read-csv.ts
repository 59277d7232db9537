/** Finds the records of a CSV or TSV file and survives broken ones. */

import { parse } from 'csv-parse/sync';
import { LINE_BYTES_MAX, type Line } from './read-lines.ts';

/** Lines that one record may go over. Beyond, its opening quote counts as a mistake. */
const RECORD_LINES_MAX = 1000;

/** One record: its cells, or the fault that kept them from being read. */
export interface CsvRecord {
  /** Line on which the record begins. */
  readonly line: number;
  readonly raw: string;
  readonly endOffset: number;
  readonly cells: readonly string[];
  readonly fault?: string;
}

/**
 * Yields the records of a file in order, the header first; blank lines are left out.
 *
 * csv-parse reads what a record contains; what belongs to a record is decided here, because a
 * quote that is opened by mistake would otherwise swallow the rest of the file. Where no record
 * comes of the lines that follow (no closing quote in {@link RECORD_LINES_MAX} lines or 1 MiB, or
 * not as many cells as the header), only the first line is at fault and reading goes on with the
 * second.
 */
export async function* readCsv(lines: AsyncIterable<Line>, delimiter: string): AsyncGenerator<CsvRecord> {
  let width: number | undefined;
  const held: Line[] = [];
  const next = (atEnd: boolean): CsvRecord | undefined => {
    const record = takeRecord(held, delimiter, width, atEnd);
    if (record && record.fault === undefined) width ??= record.cells.length;
    return record;
  };
  for await (const line of lines) {
    if (held.length === 0 && isBlank(line)) continue;
    held.push(line);
    for (let record = next(false); record; record = next(false)) yield record;
  }
  for (let record = next(true); record; record = next(true)) yield record;
}

function takeRecord(
  held: Line[],
  delimiter: string,
  width: number | undefined,
  atEnd: boolean,
): CsvRecord | undefined {
  while (held[0] && isBlank(held[0])) held.shift();
  const first = held[0];
  if (!first) return undefined;
  if (first.fault !== undefined) return faulty(held, first.fault);
  let raw = '';
  let open = false;
  for (let index = 0; index < held.length; index += 1) {
    const line = held[index];
    if (!line || line.fault !== undefined) break;
    raw = index === 0 ? line.text : `${raw}\n${line.text}`;
    if (hasOddQuotes(line.text)) open = !open;
    if (open) continue;
    const cells = cellsOf(raw, delimiter);
    if (typeof cells === 'string') return faulty(held, cells);
    const widthIsWrong = width !== undefined && cells.length !== width;
    const wrong = `the row has ${cells.length} cells, the header has ${width}`;
    if (widthIsWrong && index > 0)
      return faulty(held, `a quote is opened and not closed (read on, ${wrong})`);
    held.splice(0, index + 1);
    const record = { line: first.number, raw, endOffset: line.endOffset, cells };
    return widthIsWrong ? { ...record, fault: wrong } : record;
  }
  const stuck =
    atEnd ||
    held.length > RECORD_LINES_MAX ||
    raw.length > LINE_BYTES_MAX ||
    held.at(-1)?.fault !== undefined;
  return stuck ? faulty(held, 'a quote is opened and not closed') : undefined;
}

function faulty(held: Line[], fault: string): CsvRecord | undefined {
  const line = held.shift();
  return line && { line: line.number, raw: line.text, endOffset: line.endOffset, cells: [], fault };
}

/** The cells of one record, or why it is none. */
function cellsOf(raw: string, delimiter: string): string[] | string {
  if (!raw.includes('"')) return raw.split(delimiter);
  try {
    return parse(raw, { delimiter, relax_column_count: true, record_delimiter: ['\0'] })[0] ?? [];
  } catch (error) {
    return `broken quotes: ${error instanceof Error ? error.message.replace(/ at line \d+/, '') : String(error)}`;
  }
}

/** Blank means no cells: a line of tabs is a TSV row whose cells are empty. */
function isBlank(line: Line): boolean {
  return line.fault === undefined && /^ *$/.test(line.text);
}

function hasOddQuotes(text: string): boolean {
  let odd = false;
  for (let at = text.indexOf('"'); at >= 0; at = text.indexOf('"', at + 1)) odd = !odd;
  return odd;
}
