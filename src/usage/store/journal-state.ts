/** How far the journal of a tenant reaches, and how far the kept sums follow it. */

import type { EntityManager } from '@mikro-orm/postgresql';

/** Two numbers of the journal. */
export interface JournalState {
  /** Its last number. */
  readonly head: bigint;
  /** The last one that is in the kept sums; undefined: not known, so they cannot be used. */
  readonly cursor: bigint | undefined;
}

/** The state in the snapshot of `em`. */
export async function readJournalState(em: EntityManager, tenant: string): Promise<JournalState> {
  const [row] = await em.execute<{ head: string; cursor: string | null }[]>(
    `SELECT journal_head.last_sequence AS head, usage_cursor.sequence AS cursor
     FROM journal_head LEFT JOIN usage_cursor USING (tenant) WHERE tenant = :tenant`,
    { tenant },
    { loggerContext: em.getLoggerContext() },
  );
  const cursor = row?.cursor ?? undefined;
  return { head: BigInt(row?.head ?? 0), cursor: cursor === undefined ? undefined : BigInt(cursor) };
}
