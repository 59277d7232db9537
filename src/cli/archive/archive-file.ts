/** Reads the file of an archive page by page. */

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { UsageError } from '../command.ts';
import { readLines } from '../import/read-lines.ts';
import { parseTimestamp } from '../import/timestamp.ts';
import { microsOf } from '../time.ts';

/** A charge of the file. */
export interface FileCharge {
  readonly id: string;
  /** Microseconds since 1970. */
  readonly usageTime: bigint;
  /** The line without its end. */
  readonly text: string;
}

/** Charges that follow each other in the file. */
export interface FilePage {
  readonly charges: readonly FileCharge[];
  /** Of their lines: another one if anything in them is different. */
  readonly checksum: string;
}

/** Charges of a page. To remove them takes the service a fraction of a second, so corrections do not wait long for it. */
export const PAGE_SIZE = 500;
const NEW_LINE = 10;

/** The pages in the order of the file. Throws a {@link UsageError} if it is not a whole export. */
export async function* readPages(path: string): AsyncGenerator<FilePage> {
  let charges: FileCharge[] = [];
  let previous: FileCharge | undefined;
  for await (const { text, number, fault } of readLines(createReadStream(path), NEW_LINE, true)) {
    const charge = fault === undefined ? readLine(text) : undefined;
    if (!charge) throw damaged(path, `line ${number} is not an exported charge`);
    if (previous && compare(previous, charge) >= 0)
      throw damaged(path, `line ${number} is not in the order of an export`);
    previous = charge;
    charges.push(charge);
    if (charges.length < PAGE_SIZE) continue;
    yield pageOf(charges);
    charges = [];
  }
  if (charges.length > 0) yield pageOf(charges);
}

function pageOf(charges: readonly FileCharge[]): FilePage {
  const hash = createHash('sha256');
  for (const { text } of charges) hash.update(`${text}\n`);
  return { charges, checksum: hash.digest('base64') };
}

/** The order of exports: by usage time, then id. */
export function compare(
  a: Pick<FileCharge, 'id' | 'usageTime'>,
  b: Pick<FileCharge, 'id' | 'usageTime'>,
): number {
  if (a.usageTime !== b.usageTime) return a.usageTime < b.usageTime ? -1 : 1;
  return a.id === b.id ? 0 : a.id < b.id ? -1 : 1;
}

function readLine(text: string): FileCharge | undefined {
  try {
    const { id, usageTime } = JSON.parse(text) as Record<string, unknown>;
    const time = typeof usageTime === 'string' ? parseTimestamp(usageTime) : undefined;
    return typeof id === 'string' && time ? { id, usageTime: microsOf(time), text } : undefined;
  } catch {
    return undefined;
  }
}

function damaged(path: string, what: string): UsageError {
  return new UsageError([`${path}: ${what}. If it is the only copy of archived charges, repair it`]);
}
