/** Checks the place up to which the kept sums follow the journal. */

import { type CheckRun, FINDING } from '../../reconcile.ts';
import type { ReconcileSession } from './session.ts';

/** `head` and `cursor` are NULL if there is no such row. */
const READ = `
SELECT (SELECT last_sequence FROM journal_head WHERE tenant = :tenant) AS head,
  (SELECT sequence FROM usage_cursor WHERE tenant = :tenant) AS cursor`;

/**
 * Sets the cursor to the end of the journal. The days that differ then are found and made again like any other: a day is
 * always compared as of the cursor that there is.
 */
const SET = `
INSERT INTO usage_cursor (tenant, sequence) SELECT tenant, last_sequence FROM journal_head WHERE tenant = :tenant
ON CONFLICT (tenant) DO UPDATE SET sequence = excluded.sequence WHERE usage_cursor.sequence > excluded.sequence
RETURNING sequence`;

/** Reports a cursor that is missing or beyond the journal, and repairs it. */
export async function checkSumCursor(session: ReconcileSession, run: CheckRun): Promise<void> {
  const { tenant, repair } = run;
  const [row] = await session.read<{ head: string | null; cursor: string | null }>(READ, { tenant });
  const { head = null, cursor = null } = row ?? {};
  if (head === null || (cursor !== null && BigInt(cursor) <= BigInt(head))) return;
  if (repair) await setCursor(session, tenant);
  const kind = cursor === null ? FINDING.sumCursorMissing : FINDING.sumCursorAhead;
  await run.finding({ kind, repaired: repair, expected: head, ...(cursor !== null && { found: cursor }) });
}

async function setCursor(session: ReconcileSession, tenant: string): Promise<void> {
  await session.repair('sums', async ({ em }) => {
    const options = { loggerContext: em.getLoggerContext() };
    const [row] = await em.execute<{ sequence: string }[]>(SET, { tenant }, options);
    return row && { sequence: row.sequence };
  });
}
