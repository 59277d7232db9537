/** Opens the file of an import and reads as far as the plan and the file id need. */

import { createReadStream, statSync } from 'node:fs';
import { addAbortSignal, type Readable } from 'node:stream';
import { UsageError } from '../command.ts';
import type { ImportOptions } from './options.ts';
import { chain } from './head.ts';
import { openRows } from './open-rows.ts';
import { fileIdOfContent, fileIdOfName } from './request-id.ts';
import type { Format, Row } from './row.ts';

/** A file of which the beginning is read. */
export interface OpenFile {
  readonly input: Readable;
  /** All rows, from the first one. Reading ends with an AbortError after the signal. */
  readonly rows: AsyncIterable<Row>;
  /** Undefined: the file has no row. */
  readonly first: Row | undefined;
  /** `csv` whatever its separator, or `ndjson` for every shape of JSON. */
  readonly format: Format;
  /** What was noticed about the file, for people. Grows while rows are read. */
  readonly notes: readonly string[];
  /** Columns of the header (CSV, TSV) or of the first object (JSON). */
  readonly columns: readonly string[];
  /** Empty if the file has no row. */
  readonly fileId: string;
}

const READ_BYTES = 262_144;
/** Up to so many unreadable rows at the beginning are kept until one tells the columns. */
const HEAD_ROWS_MAX = 100;

/** Size of a file in bytes; undefined: not known before it is read. Adds to `faults` if it cannot be read. */
export function sizeOf(path: string, faults: string[]): number | undefined {
  if (path === '-') return undefined;
  const stat = statSync(path, { throwIfNoEntry: false });
  if (!stat) faults.push(`${path}: there is no such file`);
  else if (stat.isDirectory()) faults.push(`${path} is a folder`);
  return stat?.isFile() ? stat.size : undefined;
}

/** Reads up to the first row that can be read. Rejects with a {@link UsageError} if the file is unusable. */
export async function openFile(options: ImportOptions, signal: AbortSignal): Promise<OpenFile> {
  const input =
    options.file === '-' ? process.stdin : createReadStream(options.file, { highWaterMark: READ_BYTES });
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
    const fileId = head[0] ? fileIdOf(options, source.header, head[0].raw) : '';
    const { format, notes } = source;
    return { input, format, notes, rows: chain(head, rest), first: head[0], columns, fileId };
  } catch (error) {
    input.destroy();
    if (signal.aborted) throw error;
    throw new UsageError([`${options.file}: ${(error as Error).message}`]);
  }
}

function fileIdOf({ fileId, sourceName }: ImportOptions, header: string, firstRow: string): string {
  if (fileId !== undefined) return fileId;
  return sourceName === undefined ? fileIdOfContent(header, firstRow) : fileIdOfName(sourceName);
}
