/** The file of an import as rows, which are read more than once: first to plan, then to send. */

import { createReadStream, createWriteStream, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { UsageError } from '../command.ts';
import { carryValues } from './carry.ts';
import type { Layout } from './layouts/layout.ts';
import { openFile, type OpenFile } from './open-file.ts';
import type { ImportOptions } from './options.ts';
import type { Row } from './row.ts';

/** A file that can be read from its beginning any number of times. */
export interface Source {
  /** The options, with the path at which the content is. */
  readonly options: ImportOptions;
  readonly totalBytes: number;
  /** Removes the copy of standard input. */
  close(): void;
}

/**
 * Opens the file. Standard input and pipes are first copied to a temporary file that only this user can
 * read. Rejects with a {@link UsageError} if there is no such file, with an AbortError after the signal.
 */
export async function openSource(options: ImportOptions, signal: AbortSignal): Promise<Source> {
  const { file } = options;
  const stat = file === '-' ? undefined : statSync(file, { throwIfNoEntry: false });
  if (file !== '-' && !stat) throw new UsageError([`${file}: there is no such file`]);
  if (stat?.isDirectory()) throw new UsageError([`${file} is a folder`]);
  if (stat?.isFile()) return { options, totalBytes: stat.size, close: () => undefined };
  process.stderr.write(
    `Reading ${file === '-' ? 'standard input' : file} to its end before anything is sent.\n`,
  );
  const folder = mkdtempSync(join(tmpdir(), 'charge-import-'));
  const close = (): void => rmSync(folder, { recursive: true, force: true });
  try {
    const path = join(folder, file === '-' ? 'stdin' : basename(file));
    const input = file === '-' ? process.stdin : createReadStream(file);
    await pipeline(input, createWriteStream(path, { mode: 0o600 }), { signal });
    return { options: { ...options, file: path }, totalBytes: statSync(path).size, close };
  } catch (error) {
    close();
    throw error;
  }
}

/** A file from its first row on. Call `close()` even if the rows were read to the end. */
export interface OpenRows extends Pick<OpenFile, 'columns' | 'notes'> {
  readonly rows: AsyncIterable<Row>;
  close(): void;
}

/** Opens the rows, as events of the layout. Rejects with a {@link UsageError} if the file cannot be used. */
export async function openRowsOf(source: Source, signal: AbortSignal, layout?: Layout): Promise<OpenRows> {
  const { input, rows, columns, notes } = await openFile(source.options, signal);
  return { columns, notes, rows: carryValues(rows, layout), close: () => void input.destroy() };
}
