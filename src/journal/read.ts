/** Reads a tenant's numbered journal by cursor. */

import type { EntityManager } from '@mikro-orm/postgresql';

import { JournalHead, type JournalKind } from './entity.ts';

/** A number of the journal and the event that has it. */
export interface JournalEntry {
  /** 1, 2, 3 … per tenant without a gap, in commit order. */
  readonly sequence: bigint;
  readonly kind: JournalKind;
  /** The id of a charge, a correction or a cost revision: `kind` tells. */
  readonly eventId: string;
}

/**
 * SQL of the groups of the tenant `:tenant` that have numbers after one and up to another one. The last group is the
 * first one that reaches the last number. Both ends are ranges of the key, so the rows cost the groups that they touch
 * and no others.
 */
const touchedGroups = (after: string, upTo: string): string => `
  SELECT kind, event_ids, last_sequence - cardinality(event_ids) AS previous FROM journal
  WHERE tenant = :tenant AND last_sequence > ${after} AND last_sequence <= coalesce(
    (SELECT min(last_sequence) FROM journal WHERE tenant = :tenant AND last_sequence >= ${upTo}), ${upTo})`;

/**
 * SQL of the events of the tenant `:tenant` after one number and up to another one, in groups of one `kind` with their
 * `ids`.
 */
export function journalGroups(after: string, upTo: string): string {
  return `
SELECT kind, event_ids[
  greatest(${after} - previous, 0)::int + 1 : least(${upTo} - previous, cardinality(event_ids))::int
] AS ids FROM (${touchedGroups(after, upTo)}) AS touched`;
}

const READ_JOURNAL = `
SELECT sequence, kind, id FROM (
  SELECT previous + place AS sequence, kind, id
  FROM (${touchedGroups(':after', ':end')}) AS touched
  CROSS JOIN LATERAL unnest(event_ids) WITH ORDINALITY AS entry (id, place)
) AS entry
WHERE sequence > :after AND sequence <= :end ORDER BY sequence`;

/**
 * The entries after `afterSequence`, at most `limit`, in order. Numbers have no gap and are committed in
 * order, so a range of numbers is a page and nothing can appear inside it later.
 */
export async function readJournal(
  em: EntityManager,
  tenant: string,
  afterSequence: bigint,
  limit: number,
): Promise<JournalEntry[]> {
  const end = afterSequence + BigInt(limit);
  const rows = await em.execute<{ sequence: string; kind: JournalKind; id: string }[]>(
    READ_JOURNAL,
    { tenant, after: afterSequence, end },
    { loggerContext: em.getLoggerContext() },
  );
  return rows.map(({ sequence, kind, id }) => ({ sequence: BigInt(sequence), kind, eventId: id }));
}

/** The number of the last committed entry; 0 if the journal is empty or unknown. */
export async function lastSequence(em: EntityManager, tenant: string): Promise<bigint> {
  const head = await em.findOne(JournalHead, { tenant });
  return head?.lastSequence ?? 0n;
}

/** The last number of each of these tenants. Not entities: a poll reads thousands of rows, many times a second. */
export async function lastSequences(
  em: EntityManager,
  tenants: readonly string[],
): Promise<Map<string, bigint>> {
  const rows = await em.execute<{ tenant: string; sequence: string }[]>(
    'SELECT tenant, last_sequence AS sequence FROM journal_head WHERE tenant = ANY(:tenants::text[])',
    { tenants },
    { loggerContext: em.getLoggerContext() },
  );
  return new Map(rows.map(({ tenant, sequence }) => [tenant, BigInt(sequence)]));
}
