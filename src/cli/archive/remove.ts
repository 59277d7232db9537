/** Removes the charges of a file from the service, page by page. */

import { open } from 'node:fs/promises';
import { ChargeServiceService } from '../../../generated/charge/v1/charge_service.ts';
import { UsageError } from '../command.ts';
import { group, startProgress } from '../progress.ts';
import type { Session } from '../session.ts';
import type { ArchiveOptions } from './options.ts';
import { readPages } from './archive-file.ts';

/** The file is not as it was compared. Exit status 1. */
export class FileChanged extends Error {
  override name = 'FileChanged';
}

/** What was removed, or what a dry run would remove. */
export class Removed {
  archived = 0;
  already = 0;
  /** The last number of the journal that can no longer be read. */
  sequence = 0n;
  readonly #verb: string;

  constructor(verb: 'archived' | 'checked' = 'archived') {
    this.#verb = verb;
  }

  get done(): number {
    return this.archived + this.already;
  }

  /** For the progress display. */
  toString(): string {
    return `${this.#verb} ${group(this.done)} charges`;
  }
}

/** Sends the ids of a page. With `dryRun`, the service only says what it would do. */
export async function removePage(
  session: Session,
  { periodEnd, dryRun }: ArchiveOptions,
  ids: readonly string[],
  removed: Removed,
  onTrouble: (text: string) => void,
): Promise<void> {
  session.interrupt.throwIfAborted();
  const request = { ids: [...ids], endTime: periodEnd, dryRun };
  const response = await session.call(ChargeServiceService.archiveCharges, request, onTrouble);
  removed.archived += response.archived;
  removed.already += response.alreadyArchived;
  removed.sequence = response.lastArchivedSequence;
}

/**
 * Sends the ids of the file, in its order. The file is all that is left of a charge, and may have changed since it was
 * compared, while a person thought about the question: so each page is read again, and sent only if it has the checksum
 * that it had then. Rejects with {@link FileChanged} if it has not. After an interrupt or a refusal, `removed` says what
 * was done.
 */
export async function removeCharges(
  session: Session,
  options: ArchiveOptions,
  checksums: readonly string[],
  removed: Removed,
): Promise<void> {
  const { output, dryRun } = options;
  if (!dryRun) await writeToDisk(output);
  const total = checksums.length;
  const progress = startProgress(process.stderr, total, removed);
  let pages = 0;
  try {
    for await (const { charges, checksum } of readPages(output)) {
      if (checksum !== checksums[pages]) throw new FileChanged();
      const ids = charges.map(({ id }) => id);
      await removePage(session, options, ids, removed, (text) => progress.notice(text));
      pages++;
      progress.update(pages);
    }
    if (pages !== total) throw new FileChanged();
  } catch (error) {
    if (error instanceof UsageError || error instanceof FileChanged)
      throw new FileChanged(`${output} was changed after it was compared`, { cause: error });
    throw error;
  } finally {
    progress.stop();
  }
}

/** Whoever has copied the file here may not have done so. */
async function writeToDisk(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
