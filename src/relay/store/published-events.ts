/** What the stream should have: for the comparison of the stream with the journal. */

import type { EntityManager } from '@mikro-orm/postgresql';

/** Events of a tenant that were published: those up to `published`, except for dead letters. */
export async function readPublished(em: EntityManager, tenant: string): Promise<bigint> {
  const [row] = await run<{ published: string }>(
    em,
    'SELECT published_sequence AS published FROM relay_cursor WHERE tenant = :tenant',
    { tenant },
  );
  return BigInt(row?.published ?? 0);
}

/** The numbers of dead letters after a number, in order, at most `limit`. */
export async function readDeadLetters(
  em: EntityManager,
  tenant: string,
  after: bigint,
  limit: number,
): Promise<bigint[]> {
  const rows = await run<{ sequence: string }>(
    em,
    'SELECT sequence FROM dead_letter WHERE tenant = :tenant AND sequence > :after ORDER BY sequence LIMIT :limit',
    { tenant, after, limit },
  );
  return rows.map(({ sequence }) => BigInt(sequence));
}

/** The id of the last event of the first entry that reaches a number; undefined: the journal does not. */
export async function readEventId(
  em: EntityManager,
  tenant: string,
  sequence: bigint,
): Promise<string | undefined> {
  const [row] = await run<{ id: string }>(
    em,
    `SELECT event_ids[cardinality(event_ids)] AS id FROM journal
     WHERE tenant = :tenant AND last_sequence >= :sequence ORDER BY last_sequence LIMIT 1`,
    { tenant, sequence },
  );
  return row?.id;
}

/** An event as a message names it. */
export interface NamedEvent {
  readonly sequence: bigint;
  readonly id: string;
}

/** The places, from 0 on, of the events that the journal does not have under this number and id. */
export async function findUnknownEvents(
  em: EntityManager,
  tenant: string,
  events: readonly NamedEvent[],
): Promise<ReadonlySet<number>> {
  const rows = await run<{ place: string }>(
    em,
    `SELECT place - 1 AS place
     FROM unnest(:sequences::bigint[], :ids::text[]) WITH ORDINALITY AS named (sequence, id, place)
     LEFT JOIN LATERAL (
       SELECT last_sequence, event_ids FROM journal
       WHERE tenant = (SELECT :tenant::text) AND last_sequence >= named.sequence ORDER BY last_sequence LIMIT 1
     ) AS entry ON true
     WHERE event_ids[cardinality(event_ids) - (last_sequence - named.sequence)]::text IS DISTINCT FROM named.id`,
    { tenant, sequences: events.map(({ sequence }) => sequence), ids: events.map(({ id }) => id) },
  );
  return new Set(rows.map(({ place }) => Number(place)));
}

function run<Row>(em: EntityManager, sql: string, parameters: Record<string, unknown>): Promise<Row[]> {
  return em.execute<Row[]>(sql, parameters, { loggerContext: em.getLoggerContext() });
}
