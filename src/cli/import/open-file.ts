/** Opens the file of an import and reads as far as its columns. */

import { createReadStream } from 'node:fs';
import { addAbortSignal, type Readable } from 'node:stream';
import { UsageError } from '../command.ts';
import type { ImportOptions } from './options.ts';
import { readLines, type Line } from './read-lines.ts';
import { openCsv } from './read-csv.ts';
import { readNdjson } from './read-ndjson.ts';
import type { Row, RowSource } from './row.ts';

/** A file of which the beginning is read. */
export interface OpenFile {
  readonly input: Readable;
  /** All rows, from the first one. Reading ends with an AbortError after the signal. */
  readonly rows: AsyncIterable<Row>;
  /** Columns of the header (CSV, TSV) or of the first object (NDJSON). */
  readonly columns: readonly string[];
  /** What was noticed on the way, for the plan. */
  readonly notes?: readonly string[] | undefined;
}

const READ_BYTES = 262_144;
/** Up to so many unreadable rows at the beginning are kept until one tells the columns. */
const HEAD_ROWS_MAX = 100;

/** Reads up to the first row that can be read. Rejects with a {@link UsageError} if the file is unusable. */
export async function openFile(options: ImportOptions, signal: AbortSignal): Promise<OpenFile> {
  const input = createReadStream(options.file, { highWaterMark: READ_BYTES });
  addAbortSignal(signal, input);
  const head: Row[] = [];
  try {
    const source = await openRows(readLines(input), options);
    const rest = source.rows[Symbol.asyncIterator]();
    while (head.length < HEAD_ROWS_MAX && head.every(({ fault }) => fault !== undefined)) {
      const row = await rest.next();
      if (row.done) break;
      head.push(row.value);
    }
    const columns = options.format === 'ndjson' ? (head.at(-1)?.columns ?? []) : source.columns;
    return { input, rows: chain(head, rest), columns, notes: source.notes };
  } catch (error) {
    input.destroy();
    if (signal.aborted) throw error;
    throw new UsageError([`${options.file}: ${(error as Error).message}`]);
  }
}

/** Reads the header, if the format has one. Rejects with an Error if the header is unusable. */
export async function openRows(
  lines: AsyncIterable<Line>,
  { format, delimiter }: Pick<ImportOptions, 'format' | 'delimiter'>,
): Promise<RowSource> {
  return format === 'ndjson' ? { columns: [], rows: readNdjson(lines) } : openCsv(lines, delimiter);
}

async function* chain(head: readonly Row[], rest: AsyncIterator<Row>): AsyncGenerator<Row> {
  yield* head;
  yield* { [Symbol.asyncIterator]: () => rest };
}
