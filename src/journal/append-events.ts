/** How events of rows that exist already get into the journal. */

import type { EntityManager } from '@mikro-orm/postgresql';

import type { JournalKind } from './entity.ts';

/**
 * Appends one entry with new numbers for events that the journal lacks. The caller makes sure of that, and commits soon:
 * it locks the journal's head, which keeps the number: archives ask for it. Expects at least one id. Resolves to the number of the last event.
 */
export async function appendEvents(
  em: EntityManager,
  tenant: string,
  kind: JournalKind,
  ids: readonly string[],
): Promise<bigint> {
  const [entry] = await em.execute<{ last_sequence: string }[]>(
    `WITH head AS (
       UPDATE journal_head SET last_sequence = last_sequence + cardinality(:ids::uuid[]),
         repaired_sequence = last_sequence + cardinality(:ids::uuid[])
       WHERE tenant = :tenant RETURNING last_sequence
     )
     INSERT INTO journal (tenant, last_sequence, kind, event_ids)
     SELECT :tenant, (SELECT last_sequence FROM head), :kind::smallint, :ids::uuid[]
     RETURNING last_sequence`,
    { tenant, kind, ids },
    { loggerContext: em.getLoggerContext() },
  );
  return BigInt(entry?.last_sequence ?? 0);
}
