/** Keeps answers from being wrong because charges are archived. */

import type { EntityManager } from '@mikro-orm/postgresql';

import { microsFromTimestamptz } from '../../database/types/micros.ts';
import { ServiceError } from '../../errors/failure.ts';
import { asOfArchived, usageArchived } from '../errors.ts';
import type { UsagePlan } from '../plan.ts';

/**
 * Throws if the answer would need charges that may be archived: as of a number before the archive's, or from a time
 * for which the plan reads charges. Kept sums have them all. Resolves to the end of what may be archived; undefined:
 * nothing is.
 */
export async function checkArchive(
  em: EntityManager,
  tenant: string,
  { charges, moved }: UsagePlan,
  asOfSequence: bigint,
): Promise<bigint | undefined> {
  const [archive] = await em.execute<{ end_time: string; sequence: string }[]>(
    'SELECT end_time, sequence FROM archive WHERE tenant = :tenant',
    { tenant },
    { loggerContext: em.getLoggerContext() },
  );
  if (archive === undefined) return undefined;
  const sequence = BigInt(archive.sequence);
  if (asOfSequence < sequence) throw new ServiceError(asOfArchived(asOfSequence, sequence));
  const endTimeMicros = microsFromTimestamptz(archive.end_time);
  const needsArchived = [...charges, ...moved].some(
    ({ startMicros }) => startMicros === undefined || startMicros < endTimeMicros,
  );
  if (needsArchived) throw new ServiceError(usageArchived(endTimeMicros));
  return endTimeMicros;
}
