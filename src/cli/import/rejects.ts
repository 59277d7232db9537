/** The file of rejected rows. It keeps every row that was rejected, and never overwrites those of another file. */

import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  openSync,
  readSync,
  realpathSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { createHash } from 'node:crypto';
import { dirname } from 'node:path';
import type { FieldViolation } from '../../errors/failure.ts';

/** Why a row is not stored. */
export interface Rejection {
  /** Line of the file, from 1. */
  readonly row: number;
  /**
   * For programs: a reason of the service (`VALIDATION_FAILED`, `REQUEST_ID_REUSED`), or
   * `UNREADABLE_ROW`, `INVALID_VALUE` or `ROW_TOO_LARGE` of this importer.
   */
  readonly code: string;
  /** For people. */
  readonly reason: string;
  readonly violations: readonly FieldViolation[];
  /** Absent if the row has none yet. */
  readonly requestId?: string | undefined;
  /** The row as it stands in the file. */
  readonly raw: string;
}

const BUFFER_CHARS_MAX = 65_536;

/** For a person, who knows the fields of a charge. */
export function describeViolations(violations: readonly FieldViolation[]): string {
  return violations
    .map(({ field, description }) => `${field.replace(/^charge\./, '')} ${description}`)
    .join('; ');
}

/**
 * Adds to `faults` if no reject file can be written at `path`, or if it would overwrite the file to
 * import, `input`, or a file that no import wrote.
 */
export function checkRejects(path: string, input: string, faults: string[]): void {
  if (!isWritable(dirname(path)))
    faults.push(`--rejects: the folder of ${path} cannot be written; give --rejects PATH`);
  else if (!existsSync(path)) return;
  else if (existsSync(input) && realpathSync(input) === realpathSync(path))
    faults.push(`--rejects: ${path} is the file to import`);
  else if (ownerOf(path) === undefined)
    faults.push(`--rejects: ${path} exists and is not the reject file of an import`);
}

/** Tells files apart, by their columns and their first row: 16 hexadecimal digits. Only reject files need it. */
export function fileIdOf(columns: readonly string[], firstRow: string): string {
  return createHash('sha256')
    .update(JSON.stringify([columns, firstRow]))
    .digest('hex')
    .slice(0, 16);
}

/** Writes rejections at once, so that they need no memory. The file is made for the first one. */
export class RejectFile {
  readonly #path: string;
  readonly #fileId: string;
  #descriptor: number | undefined;
  #buffer = '';

  /** `path` has passed {@link checkRejects}; `fileId` tells which file the rejections belong to. */
  constructor(path: string, fileId: string) {
    this.#path = path;
    this.#fileId = fileId;
  }

  add({ requestId, raw, ...rejection }: Rejection): void {
    this.#descriptor ??= this.#open();
    const line = { ...rejection, request_id: requestId, file_id: this.#fileId, raw };
    this.#buffer += `${JSON.stringify(line)}\n`;
    if (this.#buffer.length > BUFFER_CHARS_MAX) this.#flush();
  }

  /**
   * Puts the file in its place and returns its path; undefined if there was nothing to reject.
   *
   * The reject file of an earlier import of the same file is replaced if `isComplete`, because every
   * row was judged again. Otherwise it stays, and the new one keeps the name `PATH.partial`. The
   * reject file of another file is kept as `PATH.1`, `PATH.2` and so on, and a `PATH.partial` of another
   * file as `PATH.partial.1` and so on.
   */
  finish(isComplete: boolean): { rejectsPath: string | undefined; earlierRejectsPath: string | undefined } {
    const owner = existsSync(this.#path) ? ownerOf(this.#path) : undefined;
    if (this.#descriptor === undefined) {
      const isEarlier = owner !== undefined && owner === this.#fileId;
      return { rejectsPath: undefined, earlierRejectsPath: isEarlier ? this.#path : undefined };
    }
    this.#flush();
    closeSync(this.#descriptor);
    const isKept = owner === this.#fileId && !isComplete;
    if (isKept) return { rejectsPath: this.#partialPath, earlierRejectsPath: undefined };
    if (existsSync(this.#path) && owner !== this.#fileId) renameSync(this.#path, freeName(this.#path));
    renameSync(this.#partialPath, this.#path);
    return { rejectsPath: this.#path, earlierRejectsPath: undefined };
  }

  /** What an interrupted import of another file has left in the place of the file is kept. */
  #open(): number {
    const path = this.#partialPath;
    if (existsSync(path) && ownerOf(path) !== this.#fileId) renameSync(path, freeName(path));
    return openSync(path, 'w');
  }

  get #partialPath(): string {
    return `${this.#path}.partial`;
  }

  #flush(): void {
    const text = this.#buffer;
    // Not tried again if the disk is full.
    this.#buffer = '';
    if (this.#descriptor !== undefined) writeFileSync(this.#descriptor, text);
  }
}

/** The file id in the first line of a reject file; undefined: the file is not a reject file. */
function ownerOf(path: string): string | undefined {
  const descriptor = openSync(path, 'r');
  try {
    // The id comes before `raw`, which may be long.
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

/** Whether this process may make files in the folder. */
export function isWritable(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
