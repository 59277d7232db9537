/**
 * A file that appears when it is complete. Until then its bytes are in `FILE.part`, and `FILE.part.json` says up to
 * where they are good and with which token the service goes on after them. So the same command goes on after a kill or
 * a power cut, without a lost or a doubled row.
 */

import { existsSync, readFileSync } from 'node:fs';
import { open, rename, rm, writeFile, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { UsageError } from '../command.ts';
import { START, writing, type Place, type Sink } from './sink.ts';

/** The place is kept this often at most: what was written after it is written again. */
const KEEP_INTERVAL_MS = 1000;

/** What is kept in `FILE.part.json`. */
interface Kept extends Place {
  /** What the file has: the command must ask for the same. */
  readonly identity: string;
}

/** How to open a file. */
export interface PartFileOptions {
  /** What the file will have: format, columns, filter, address. Undefined: it cannot go on, and starts over. */
  readonly identity: string | undefined;
  /** Forget what was begun by another export. */
  readonly force: boolean;
}

/**
 * Opens the file where an earlier run has stopped, or new. Rejects with a {@link UsageError} if an export with other
 * flags has begun it, or if it cannot be written.
 */
export async function openPartFile(path: string, { identity, force }: PartFileOptions): Promise<Sink> {
  const part = `${path}.part`;
  const kept = readKept(part);
  const isSame = kept?.identity === identity;
  if (kept && !isSame && !force)
    throw new UsageError([
      `${part} belongs to an export with other flags. The same command as then goes on with it; --force starts over`,
    ]);
  let handle: FileHandle | undefined;
  try {
    handle = await open(part, 'a');
    const { size } = await handle.stat();
    const start = kept && isSame && size >= kept.bytes ? placeOf(kept) : START;
    // Before the bytes go that it speaks of: otherwise the other export could go on with what is written now.
    if (start === START) await rm(`${part}.json`, { force: true });
    await handle.truncate(start.bytes);
    return new PartFile(path, handle, identity, start);
  } catch (error) {
    await handle?.close();
    throw new UsageError([`--output: ${(error as Error).message}`]);
  }
}

function placeOf({ resumeToken, charges, bytes }: Kept): Place {
  return { resumeToken, charges, bytes };
}

/** What an earlier run has kept. Undefined: nothing that can be used. */
function readKept(part: string): Kept | undefined {
  if (!existsSync(part)) return undefined;
  try {
    const kept = JSON.parse(readFileSync(`${part}.json`, 'utf8')) as Partial<Kept>;
    const { identity, resumeToken, charges, bytes } = kept;
    const isWhole =
      typeof identity === 'string' &&
      typeof resumeToken === 'string' &&
      Number.isSafeInteger(charges) &&
      Number.isSafeInteger(bytes);
    return isWhole ? (kept as Kept) : undefined;
  } catch {
    return undefined;
  }
}

class PartFile implements Sink {
  readonly start: Place;
  readonly #path: string;
  readonly #part: string;
  readonly #handle: FileHandle;
  readonly #identity: string | undefined;
  #place: Place;
  #keptAt = -Infinity;

  constructor(path: string, handle: FileHandle, identity: string | undefined, start: Place) {
    this.#path = path;
    this.#part = `${path}.part`;
    this.#handle = handle;
    this.#identity = identity;
    this.start = start;
    this.#place = start;
  }

  write(bytes: string | Uint8Array): Promise<void> {
    return writing(this.#part, () => this.#handle.appendFile(bytes));
  }

  async reached(place: Place): Promise<void> {
    this.#place = place;
    if (performance.now() - this.#keptAt >= KEEP_INTERVAL_MS) await writing(this.#part, () => this.#keep());
  }

  finish(): Promise<void> {
    return writing(this.#path, async () => {
      await this.#handle.sync();
      await this.#handle.close();
      await rename(this.#part, this.#path);
      await syncDirectory(dirname(this.#path));
      await rm(`${this.#part}.json`, { force: true });
    });
  }

  async close(): Promise<void> {
    try {
      if (this.#place.bytes > this.start.bytes) await this.#keep();
    } catch {
      // The disk is full, perhaps. What was kept before is still there.
    }
    await this.#handle.close().catch(() => undefined);
  }

  /** The bytes go to the disk first, so that the place is never beyond them. */
  async #keep(): Promise<void> {
    if (this.#identity === undefined) return;
    await this.#handle.datasync();
    const kept: Kept = { identity: this.#identity, ...this.#place };
    await writeFile(`${this.#part}.json.new`, JSON.stringify(kept), { flush: true });
    await rename(`${this.#part}.json.new`, `${this.#part}.json`);
    this.#keptAt = performance.now();
  }
}

/** Without this a power cut could undo the rename, although the file is on the disk. Windows cannot open directories. */
async function syncDirectory(path: string): Promise<void> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(path, 'r');
    await handle.sync();
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    if (!['EPERM', 'EISDIR', 'EACCES'].includes(code)) throw error;
  } finally {
    await handle?.close();
  }
}
