/** Statements that compare the kept sums of a day with its charges, and that make them again. */

import { countedCharges, signedCharges } from '../../../charges/index.ts';
import { ROLLUP_LEVEL } from '../../plan.ts';
import { KEY_NAMES, SUM_NAMES } from '../columns.ts';
import { ROLLUP_COLUMNS, rollupsOf } from '../follow-journal.ts';

/** The last number of the journal, and how far the kept sums follow it. */
const STATE = `state AS MATERIALIZED (
  SELECT journal_head.last_sequence AS head, coalesce(usage_cursor.sequence, 0) AS cursor
  FROM journal_head LEFT JOIN usage_cursor USING (tenant) WHERE tenant = :tenant
)`;

/** The charges of the day that count, as they are now. */
const CHARGES = countedCharges('(VALUES (:start::timestamptz, :end::timestamptz))', 'true');

/** What the events that are not in the sums yet do to the day. */
const NEWER = `SELECT * FROM (
  ${signedCharges('(SELECT cursor FROM state)', '(SELECT head FROM state)')}
) AS charge WHERE usage_time >= :start::timestamptz AND usage_time < :end::timestamptz`;

const KEPT = `
SELECT level, start_time, user_profile, ${KEY_NAMES}, ${SUM_NAMES.join(', ')} FROM usage_rollup
WHERE tenant = :tenant AND level = ANY (:levels) AND start_time >= :start::timestamptz AND start_time < :end::timestamptz`;

const sides = (side: 'found' | 'expected', relation: string): string => `
SELECT level, start_time, user_profile, ${KEY_NAMES}, ${SUM_NAMES.map((name) =>
  side === 'found' ? `${name} AS found_${name}, 0 AS expected_${name}` : `0, ${name}`,
).join(', ')} FROM (${relation}) AS rollup`;

const total = (name: string): string => `coalesce(sum(${name}), 0)`;
const differs = (name: string): string => `${total(`found_${name}`)} <> ${total(`expected_${name}`)}`;

/** The currency that a sum is in; empty: it is no sum of costs. */
const currencyOf = (name: string): string => {
  if (name === 'cost_nanos') return 'cost_currency';
  return name === 'reported_cost_nanos' ? 'reported_cost_currency' : `''`;
};

/**
 * Compares one day of the tenant, from `:start` to `:end`, at every level. Each sum is compared by itself. There is a
 * row for each level, sum and currency that differs anywhere, and one without a level that counts the charges. One
 * statement sees one state of the database, so nothing that is written meanwhile looks like a difference.
 */
export const COMPARE_DAY = `
WITH ${STATE}, side AS (
  ${sides('found', KEPT)} UNION ALL ${sides('found', rollupsOf(NEWER))} UNION ALL ${sides('expected', rollupsOf(CHARGES))}
), difference AS (
  SELECT level, user_profile, ${KEY_NAMES},
    ${SUM_NAMES.map((name) => `${total(`found_${name}`)} AS found_${name}, ${total(`expected_${name}`)} AS expected_${name}`).join(', ')}
  FROM side GROUP BY level, start_time, user_profile, ${KEY_NAMES}
  HAVING ${SUM_NAMES.map(differs).join(' OR ')}
)
(SELECT level, name, currency, count(*) AS rows, sum(expected)::text AS expected, sum(found)::text AS found,
  (array_agg(user_profile ORDER BY user_profile, model))[1] AS user_profile,
  (array_agg(model ORDER BY user_profile, model))[1] AS model
FROM difference CROSS JOIN LATERAL (VALUES
  ${SUM_NAMES.map((name, place) => `(${place}, '${name}', ${currencyOf(name)}, found_${name}, expected_${name})`).join(',\n  ')}
) AS measure (place, name, currency, found, expected)
WHERE found <> expected GROUP BY level, place, name, currency ORDER BY level, place, currency)
UNION ALL
SELECT NULL, '', '', 0, coalesce(sum(expected_charges), 0)::text, '0', '', '' FROM side WHERE level = ${ROLLUP_LEVEL.day}`;

/** A row of {@link COMPARE_DAY}. */
export interface DifferenceRow {
  /** NULL: `expected` is how many charges were compared. */
  readonly level: number | null;
  readonly name: string;
  readonly currency: string;
  readonly rows: string;
  readonly expected: string;
  readonly found: string;
  readonly user_profile: string;
  readonly model: string;
}

export const DELETE_DAY = `DELETE FROM usage_rollup WHERE tenant = :tenant AND level = ANY (:levels)
  AND start_time >= :start::timestamptz AND start_time < :end::timestamptz`;

/**
 * Makes the sums of a day again, as of the cursor: its charges as they are now, without what later events did to them.
 * Expects the lock of the cursor, so that nobody adds events meanwhile.
 */
export const INSERT_DAY = `
WITH ${STATE}, part AS (
  ${rollupsOf(CHARGES)}
  UNION ALL
  SELECT level, start_time, user_profile, ${KEY_NAMES}, ${SUM_NAMES.map((name) => `-${name}`).join(', ')}
  FROM (${rollupsOf(NEWER)}) AS newer
)
INSERT INTO usage_rollup (${ROLLUP_COLUMNS})
SELECT :tenant, level, start_time, user_profile, ${KEY_NAMES}, ${SUM_NAMES.map((name) => `sum(${name})`).join(', ')}
FROM part GROUP BY level, start_time, user_profile, ${KEY_NAMES}
HAVING ${SUM_NAMES.map((name) => `sum(${name}) <> 0`).join(' OR ')}`;
