/** The file of rejected rows: nothing that was refused is lost, and nothing of an earlier import either. */

import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  openSync,
  readSync,
  realpathSync,
  renameSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import type { FieldViolation } from '../../errors/failure.ts';

/** Why a row is not in the book. */
export interface Rejection {
  /** Line of the file, from 1. */
  readonly row: number;
  /** For programs: a reason of the service (`VALIDATION_FAILED`, `REQUEST_ID_REUSED`), or `UNREADABLE_ROW`, `INVALID_VALUE`, `ROW_TOO_LARGE` of this importer. */
  readonly code: string;
  /** For people. */
  readonly reason: string;
  readonly violations: readonly FieldViolation[];
  /** Absent where the row did not get as far. */
  readonly requestId?: string | undefined;
  /** The row as it stands in the file. */
  readonly raw: string;
}

const BUFFER_CHARS_MAX = 65_536;

/**
 * Where the reject file can be made: `path`, or the working directory where the folder of `path` is
 * read-only and `isDefault`. Returns a fault, as text, when that is impossible or would overwrite
 * the input or a file that no importer wrote.
 */
export function placeRejects(
  path: string,
  input: string,
  isDefault: boolean,
): { path: string } | { fault: string } {
  const place = isDefault && !isWritable(dirname(path)) ? resolve(basename(path)) : path;
  if (!isWritable(dirname(place))) return { fault: `--rejects: the folder of ${place} cannot be written` };
  if (!existsSync(place)) return { path: place };
  if (input !== '-' && existsSync(input) && realpathSync(input) === realpathSync(place)) {
    return { fault: `--rejects: ${place} is the file to import` };
  }
  if (ownerOf(place) === undefined)
    return { fault: `--rejects: ${place} exists and is no reject file of an import` };
  return { path: place };
}

/** Writes rejections as they come, synchronously, so that they need no memory. Made when the first one comes. */
export class RejectFile {
  readonly #path: string;
  readonly #fileId: string;
  #descriptor: number | undefined;
  #buffer = '';

  /** `path` from {@link placeRejects}; `fileId` tells whose rejections they are. */
  constructor(path: string, fileId: string) {
    this.#path = path;
    this.#fileId = fileId;
  }

  add({ requestId, raw, ...rejection }: Rejection): void {
    this.#descriptor ??= openSync(this.#partialPath, 'w');
    const line = { ...rejection, request_id: requestId, file_id: this.#fileId, raw };
    this.#buffer += `${JSON.stringify(line)}\n`;
    if (this.#buffer.length > BUFFER_CHARS_MAX) this.#flush();
  }

  /**
   * Puts the file in its place and returns its path; undefined when there was nothing to reject.
   *
   * A reject file of an earlier import of the same file is replaced when `isComplete`: every row was
   * judged anew. Otherwise it stays, and the new one keeps the name `PATH.partial`. A reject file of
   * another file is kept as `PATH.1`, `PATH.2` …
   */
  finish(isComplete: boolean): string | undefined {
    if (this.#descriptor === undefined) return undefined;
    this.#flush();
    closeSync(this.#descriptor);
    this.#descriptor = undefined;
    if (existsSync(this.#path)) {
      if (ownerOf(this.#path) !== this.#fileId) renameSync(this.#path, freeName(this.#path));
      else if (!isComplete) return this.#partialPath;
    }
    renameSync(this.#partialPath, this.#path);
    return this.#path;
  }

  /** The reject file of an earlier import of the same file; undefined: there is none. */
  get earlierPath(): string | undefined {
    return existsSync(this.#path) && ownerOf(this.#path) === this.#fileId ? this.#path : undefined;
  }

  get #partialPath(): string {
    return `${this.#path}.partial`;
  }

  #flush(): void {
    if (this.#descriptor !== undefined) writeAll(this.#descriptor, this.#buffer);
    this.#buffer = '';
  }
}

function writeAll(descriptor: number, text: string): void {
  const bytes = Buffer.from(text);
  for (let done = 0; done < bytes.length;) done += writeSync(descriptor, bytes, done);
}

/** The file id in the first line of a reject file; undefined: it is none. */
function ownerOf(path: string): string | undefined {
  const descriptor = openSync(path, 'r');
  try {
    // The id stands before `raw`, which may be long.
    const bytes = Buffer.alloc(65_536);
    const head = bytes.toString('utf8', 0, readSync(descriptor, bytes));
    return /^\{"row":\d+,.*?"file_id":"([0-9a-f]{16})","raw":/.exec(head)?.[1];
  } finally {
    closeSync(descriptor);
  }
}

function freeName(path: string): string {
  let number = 1;
  while (existsSync(`${path}.${number}`)) number += 1;
  return `${path}.${number}`;
}

function isWritable(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
