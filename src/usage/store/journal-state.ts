/** How far the journal of a tenant reaches, and how far the kept sums follow it. */

import type { EntityManager } from '@mikro-orm/postgresql';

/** Two numbers of the journal; 0: nothing yet. */
export interface JournalState {
  /** Its last number. */
  readonly head: bigint;
  /** The last one that is in the kept sums. */
  readonly cursor: bigint;
}

/** The state in the snapshot of `em`. */
export async function readJournalState(em: EntityManager, tenant: string): Promise<JournalState> {
  const [row] = await em.execute<{ head: string; cursor: string }[]>(
    `SELECT journal_head.last_sequence AS head, coalesce(usage_cursor.sequence, 0) AS cursor
     FROM journal_head LEFT JOIN usage_cursor USING (tenant) WHERE tenant = :tenant`,
    { tenant },
    { loggerContext: em.getLoggerContext() },
  );
  return { head: BigInt(row?.head ?? 0), cursor: BigInt(row?.cursor ?? 0) };
}
