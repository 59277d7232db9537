/** What a reconciliation needs to know of archived charges: they count as existing, but cannot be compared. */

import type { EntityManager } from '@mikro-orm/postgresql';

import { microsFromTimestamptz } from '../../../database/types/micros.ts';

/** How far charges were archived. */
export interface Archived {
  /** The sums of days that begin before this time cannot be compared with charges; undefined: those of all days can. */
  readonly endTimeMicros: bigint | undefined;
  /** Up to this number of the journal, new costs of charges may be gone. */
  readonly sequence: bigint;
}

/** What was archived of a tenant. */
export async function archivedOf(em: EntityManager, tenant: string): Promise<Archived> {
  const [row] = await em.execute<{ end_time: string; sequence: string }[]>(
    'SELECT end_time, sequence FROM archive WHERE tenant = :tenant',
    { tenant },
    { loggerContext: em.getLoggerContext() },
  );
  if (row === undefined) return { endTimeMicros: undefined, sequence: 0n };
  return { endTimeMicros: microsFromTimestamptz(row.end_time), sequence: BigInt(row.sequence) };
}

/** SQL of a relation of every charge that was ever recorded, with `tenant`, `id`, `amends` and `usage_time`. */
export const RECORDED_CHARGES = `(
  SELECT tenant, id, amends, usage_time FROM charge
  UNION ALL SELECT tenant, id, NULL, NULL FROM archived_charge
)`;
