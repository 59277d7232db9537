/** Opens the file of an import and reads as far as its columns. */

import { createReadStream } from 'node:fs';
import { addAbortSignal, type Readable } from 'node:stream';
import { UsageError } from '../command.ts';
import type { ImportOptions } from './options.ts';
import { chain } from './head.ts';
import { openRows } from './open-rows.ts';
import type { Format, Row } from './row.ts';

/** A file of which the beginning is read. */
export interface OpenFile {
  readonly input: Readable;
  /** All rows, from the first one. Reading ends with an AbortError after the signal. */
  readonly rows: AsyncIterable<Row>;
  /** `csv` whatever its separator, or `ndjson` for every shape of JSON. */
  readonly format: Format;
  /** Columns of the header (CSV, TSV) or of the first object (JSON). */
  readonly columns: readonly string[];
  /** What was noticed about the file, for people. Grows while rows are read. */
  readonly notes: readonly string[];
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
    const source = await openRows(input, options);
    const rest = source.rows[Symbol.asyncIterator]();
    while (head.length < HEAD_ROWS_MAX && head.every(({ fault }) => fault !== undefined)) {
      const row = await rest.next();
      if (row.done) break;
      head.push(row.value);
    }
    const columns = source.format === 'ndjson' ? (head.at(-1)?.columns ?? []) : source.columns;
    const { format, notes } = source;
    return { input, format, rows: chain(head, rest), columns, notes };
  } catch (error) {
    input.destroy();
    if (signal.aborted) throw error;
    throw new UsageError([`${options.file}: ${(error as Error).message}`]);
  }
}
