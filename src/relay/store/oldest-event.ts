/** How long events have been waiting to be published. */

import type { EntityManager } from '@mikro-orm/postgresql';

import { timeOfChargeId } from '../../charges/index.ts';

/**
 * When the oldest event that is not published was created, in milliseconds since 1970; undefined: all are published.
 * One entry of each journal with a backlog is read; the id of its event has the time.
 */
export async function readOldestUnpublishedMs(em: EntityManager): Promise<number | undefined> {
  const [row] = await em.execute<{ id: string | null }[]>(
    `SELECT min(oldest.id) AS id
     FROM journal_head LEFT JOIN relay_cursor USING (tenant)
     CROSS JOIN coalesce(published_sequence, 0) AS published
     CROSS JOIN LATERAL (
       SELECT event_ids[cardinality(event_ids) - (journal.last_sequence - published - 1)]::text COLLATE "C" AS id
       FROM journal
       WHERE journal.tenant = journal_head.tenant AND journal.last_sequence > published
       ORDER BY journal.last_sequence LIMIT 1
     ) AS oldest
     WHERE journal_head.last_sequence > published`,
  );
  return row?.id ? Number(timeOfChargeId(row.id) / 1000n) : undefined;
}
