/** Statements that compare the journal with what its events are about. They read whole entries, also damaged ones. */

import { JOURNAL_KIND } from '../../../journal/index.ts';
import { RECORDED_CHARGES } from './archived.ts';

const { created, voided, amended, repriced, erased } = JOURNAL_KIND;

/** Numbers that one statement covers, about a tenth of a second of work. */
export const EVENTS_PER_STATEMENT = 20_000;

const TENANT = '(SELECT :tenant::text)';

/** The last number of the journal, and what its head says; each NULL if there is none. */
export const READ_ENDS = `
SELECT (SELECT max(last_sequence) FROM journal WHERE tenant = :tenant) AS journal,
  (SELECT last_sequence FROM journal_head WHERE tenant = :tenant) AS head`;

/** Never back: a number is given once. */
export const RAISE_HEAD = `
UPDATE journal_head SET last_sequence = :journal::bigint WHERE tenant = :tenant AND last_sequence < :journal::bigint
RETURNING last_sequence`;

/** Where the next statement ends: after whole entries, beyond a gap of any length, `:end` at the latest. */
export const NEXT_RANGE = `
SELECT coalesce(
  (SELECT max(last_sequence) FROM journal
   WHERE tenant = :tenant AND last_sequence > :after 
     AND last_sequence <= least(:after::bigint + ${EVENTS_PER_STATEMENT}, :end::bigint)),
  (SELECT min(last_sequence) FROM journal WHERE tenant = :tenant AND last_sequence > :after)
) AS up_to`;

/** Entries that do not begin directly after the one before. */
export const GAPS = `
SELECT previous + 1 AS expected, last_sequence - cardinality(event_ids) + 1 AS found FROM (
  SELECT last_sequence, event_ids, lag(last_sequence, 1, :after::bigint) OVER (ORDER BY last_sequence) AS previous
  FROM journal WHERE tenant = :tenant AND last_sequence > :after AND last_sequence <= :upTo
) AS entry
WHERE last_sequence - cardinality(event_ids) <> previous ORDER BY last_sequence`;

const entries = (condition: string): string => `
SELECT last_sequence, last_sequence - cardinality(event_ids) + place AS sequence, kind, id
FROM journal CROSS JOIN LATERAL unnest(event_ids) WITH ORDINALITY AS event (id, place)
WHERE tenant = :tenant AND ${condition}`;

const RANGE = entries('last_sequence > :after AND last_sequence <= :upTo');

/** OFFSET 0 makes each a look-up by its key. */
const rowOf = (table: string): string => `LEFT JOIN LATERAL (
  SELECT * FROM ${table} AS r WHERE r.tenant = ${TENANT} AND r.id = entry.id OFFSET 0
) AS found ON true`;
const isMissing = (id: string): string =>
  `NOT EXISTS (SELECT FROM ${RECORDED_CHARGES} AS r WHERE r.tenant = ${TENANT} AND r.id = ${id} OFFSET 0)`;

/**
 * Events without the row that they are about, and events whose row has another number or is of another kind. `found`:
 * the number in the row; NULL: there is no row, or its replacement is missing. `:archived`: up to this number, new costs
 * may be gone.
 */
export const FAULTY_EVENTS = `
WITH entry AS MATERIALIZED (${RANGE})
SELECT sequence, entry.id, NULL::bigint AS found, true AS missing FROM entry
WHERE kind = ${created} AND ${isMissing('entry.id')}
UNION ALL
SELECT entry.sequence, entry.id, found.sequence, found.id IS NULL OR ${isMissing('found.charge_id')}
  OR (kind = ${amended} AND ${isMissing('found.replacement_id')})
FROM entry ${rowOf('correction')}
WHERE kind IN (${voided}, ${amended}) AND (
  found.id IS NULL OR found.sequence <> entry.sequence OR (kind = ${amended}) <> (found.replacement_id IS NOT NULL)
  OR ${isMissing('found.charge_id')} OR (kind = ${amended} AND ${isMissing('found.replacement_id')})
)
UNION ALL
SELECT entry.sequence, entry.id, found.sequence, found.id IS NULL FROM entry ${rowOf('cost_revision')}
WHERE kind = ${repriced} AND (
  (found.id IS NULL AND entry.sequence > :archived::bigint) OR found.sequence <> entry.sequence
)
UNION ALL
SELECT entry.sequence, entry.id, found.sequence, found.id IS NULL FROM entry ${rowOf('erasure_event')}
WHERE kind = ${erased} AND found.sequence IS DISTINCT FROM entry.sequence
UNION ALL
SELECT sequence, id, NULL, false FROM entry
WHERE kind NOT IN (${created}, ${voided}, ${amended}, ${repriced}, ${erased})
ORDER BY sequence`;

/** The charge that an event of these kinds records. */
const RECORDS = `kind IN (${created}, ${amended})`;
const RECORDED_ID = `CASE kind WHEN ${created} THEN entry.id ELSE (
  SELECT replacement_id FROM correction WHERE tenant = ${TENANT} AND correction.id = entry.id OFFSET 0
) END`;

/** The first digits of an id: its time in steps of almost five hours. */
const GROUP = `left(id::text, 6)`;
const FINGERPRINT = `${GROUP} AS name, count(*) AS count, sum(uuid_hash_extended(id, 0)) AS hash`;

/** The charges that a range of the journal records, as one fingerprint for each group of ids. */
export const RECORDED_GROUPS = `
SELECT ${FINGERPRINT}, min(last_sequence) AS first, max(last_sequence) AS last FROM (
  SELECT last_sequence, ${RECORDED_ID} AS id FROM (${RANGE}) AS entry WHERE ${RECORDS}
) AS recorded WHERE id IS NOT NULL GROUP BY ${GROUP}`;

/** Where the next statement about the rows of a table ends; no row: it is the last one. */
export const nextRows = (table: string, limit: number): string =>
  `SELECT id FROM ${table} AS r WHERE tenant = :tenant AND id > :after ORDER BY id OFFSET ${limit - 1} LIMIT 1`;

/** The same fingerprints of a range of the charges. */
export const CHARGE_GROUPS = `
SELECT ${FINGERPRINT} FROM ${RECORDED_CHARGES} AS charge
WHERE tenant = :tenant AND id > :after AND id <= :upTo GROUP BY ${GROUP}`;

/**
 * The charges of a group that the journal does not record exactly once, in the order of their ids, from `:after` on:
 * compared one by one, in one state of the database. `first` and `last`: the entries that have them; NULL: none.
 * Looks at the entries from `:first` to `:last`, and at those after `:head`, which nobody has looked at yet.
 */
export const SEARCH_GROUP = `
WITH event AS (
  SELECT id, count(*) AS count, min(sequence) AS first, max(sequence) AS last FROM (
    SELECT sequence, ${RECORDED_ID} AS id FROM (
      ${entries('last_sequence >= :first AND last_sequence <= :last')}
      UNION ALL ${entries('last_sequence > :head')}
    ) AS entry WHERE ${RECORDS}
  ) AS recorded WHERE id > :after AND id <= :upTo GROUP BY id
), stored AS (
  SELECT id, amends, usage_time FROM ${RECORDED_CHARGES} AS charge
  WHERE tenant = :tenant AND id > :after AND id <= :upTo
)
SELECT id, count, first, last, amends, usage_time FROM stored LEFT JOIN event USING (id)
WHERE count IS DISTINCT FROM 1 ORDER BY id LIMIT :limit`;

/** Rows of `correction` or `cost_revision` that the journal does not have under their number. */
export const withoutEvent = (table: 'correction' | 'cost_revision'): string => `
SELECT r.id, r.sequence FROM ${table} AS r
LEFT JOIN LATERAL (
  SELECT last_sequence, kind, event_ids FROM journal
  WHERE tenant = ${TENANT} AND last_sequence >= r.sequence ORDER BY last_sequence LIMIT 1
) AS entry ON true
WHERE r.tenant = :tenant AND r.id > :after AND r.id <= :upTo AND (
  entry.kind IS NULL OR entry.kind NOT IN (${table === 'correction' ? `${voided}, ${amended}` : repriced})
  OR event_ids[cardinality(event_ids) - (last_sequence - r.sequence)] IS DISTINCT FROM r.id
) ORDER BY r.id`;
