/** Removes the charges of a file from the service, page by page. */

import { ChargeServiceService } from '../../../generated/charge/v1/charge_service.ts';
import { group, startProgress } from '../progress.ts';
import type { Session } from '../session.ts';
import type { ArchiveOptions } from './options.ts';
import { readArchive } from './archive-file.ts';

/** A page takes the service a fraction of a second, so corrections do not wait long for it. */
const PAGE_SIZE = 500;

/** What was removed. */
export class Removed {
  archived = 0;
  already = 0;
  /** The last number of the journal that can no longer be read. */
  sequence = 0n;

  get done(): number {
    return this.archived + this.already;
  }

  /** For the progress display. */
  toString(): string {
    return `archived ${group(this.archived)} charges`;
  }
}

/** Sends the ids of the file, in its order. After an interrupt or a refusal, `removed` says what was done. */
export async function removeCharges(
  session: Session,
  { output, periodEnd }: ArchiveOptions,
  total: number,
  removed: Removed,
): Promise<void> {
  const progress = startProgress(process.stderr, total, removed);
  const send = async (ids: readonly string[]): Promise<void> => {
    session.interrupt.throwIfAborted();
    const request = { ids: [...ids], endTime: periodEnd };
    const response = await session.call(ChargeServiceService.archiveCharges, request, (text) =>
      progress.notice(text),
    );
    removed.archived += response.archived;
    removed.already += response.alreadyArchived;
    removed.sequence = response.lastArchivedSequence;
    progress.update(removed.done);
  };
  try {
    let ids: string[] = [];
    for await (const { id } of readArchive(output)) {
      ids.push(id);
      if (ids.length < PAGE_SIZE) continue;
      await send(ids);
      ids = [];
    }
    if (ids.length > 0) await send(ids);
  } finally {
    progress.stop();
  }
}
