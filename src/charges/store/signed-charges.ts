/** Charges as the events of the journal add them to totals and take them out again. */

import { JOURNAL_KIND, journalGroups } from '../../journal/index.ts';
import { currentCost, IS_ACTIVE } from './current-charges.ts';

/** The columns of `charge` that totals need, apart from the cost. */
const COLUMNS = [
  'id',
  'usage_time',
  'user_profile',
  'session_key',
  'provider',
  'other_provider',
  'charge_type',
  'model',
  'reference',
  'labels',
  'service_tier',
  'region',
  'call_outcome',
  'import_id',
  'quantities',
  'prompt_tokens',
  'completion_tokens',
  'total_tokens',
  'cache_read_tokens',
  'cache_write_5m_tokens',
  'cache_write_1h_tokens',
  'reasoning_tokens',
  'audio_input_tokens',
  'audio_output_tokens',
  'image_input_tokens',
  'image_output_tokens',
  'reported_cost_nanos',
  'reported_cost_currency',
] as const;

const COLUMN_LIST = COLUMNS.map((column) => `charge.${column}`).join(', ');
const RECORDED = `${COLUMN_LIST}, charge.cost_nanos, charge.cost_currency`;
const CURRENT = `${COLUMN_LIST}, ${currentCost('cost_nanos')} AS cost_nanos, ${currentCost('cost_currency')} AS cost_currency`;

/** OFFSET 0 makes each a look-up by its key, whatever PostgreSQL believes about the sizes of the tables. */
const byKey = (table: string, alias: string, id: string): string =>
  `CROSS JOIN LATERAL (SELECT * FROM ${table} WHERE tenant = (SELECT :tenant::text) AND id = ${id} OFFSET 0) AS ${alias}`;
const chargeOf = (id: string): string => byKey('charge', 'charge', id);
const CORRECTION = byKey('correction', 'correction', 'ANY (entry.ids)');
const REVISION = byKey('cost_revision', 'revision', 'ANY (entry.ids)');

/** The latest cost of `charge`: nothing gives a charge another cost after its correction. */
const LATEST = `LEFT JOIN LATERAL (
    SELECT * FROM cost_revision AS r WHERE r.tenant = charge.tenant AND r.charge_id = charge.id
    ORDER BY r.revision DESC LIMIT 1
  ) AS latest ON true`;

/**
 * SQL of what the events of the tenant `:tenant` after one number of the journal and up to another one do to totals:
 * charges with the `sign` 1, which they add, and -1, which they take out, each with the cost that it had at that
 * moment. A new cost takes the charge out and adds it again. So a sum of `sign` times anything is the difference
 * between the total as of the second number and the total as of the first.
 */
export function signedCharges(after: string, upTo: string): string {
  const { created, voided, amended, repriced } = JOURNAL_KIND;
  return `
WITH entry AS MATERIALIZED (${journalGroups(after, upTo)})
SELECT 1 AS sign, ${RECORDED} FROM entry ${chargeOf('ANY (entry.ids)')} WHERE kind = ${created}
UNION ALL
SELECT -1, ${CURRENT} FROM entry ${CORRECTION} ${chargeOf('correction.charge_id')} ${LATEST}
WHERE kind IN (${voided}, ${amended})
UNION ALL
SELECT 1, ${RECORDED} FROM entry ${CORRECTION} ${chargeOf('correction.replacement_id')} WHERE kind = ${amended}
UNION ALL
SELECT -1, ${CURRENT} FROM entry ${REVISION} ${chargeOf('revision.charge_id')}
LEFT JOIN LATERAL (
  SELECT * FROM cost_revision AS r WHERE r.tenant = :tenant AND r.charge_id = revision.charge_id
    AND r.revision = revision.revision - 1 OFFSET 0
) AS latest ON true
WHERE kind = ${repriced}
UNION ALL
SELECT 1, ${COLUMN_LIST}, revision.cost_nanos, revision.cost_currency
FROM entry ${REVISION} ${chargeOf('revision.charge_id')} WHERE kind = ${repriced}`;
}

/**
 * SQL of the charges of the tenant `:tenant` that count, with the same columns and their latest cost. `ranges` is a
 * relation with the columns `start_time` and `end_time`, and `condition` is SQL about `charge`. Each range is read by an
 * index (OFFSET 0): in a join, PostgreSQL would read everything once and compare it with every range. `indexed` is a
 * column with an index of its own and the value that it has; with a condition of its own, the index would be read from
 * the first charge with this value on. The order chooses the index: that of lists. Corrections are looked up: a join
 * would read those of the whole book for a few charges.
 */
export function countedCharges(
  ranges: string,
  condition: string,
  indexed?: { readonly column: string; readonly value: string },
): string {
  return `
SELECT 1 AS sign, ${CURRENT} FROM ${ranges} AS part (start_time, end_time) CROSS JOIN LATERAL (
  SELECT * FROM charge WHERE ${inRange('part', indexed)} AND ${condition}
  ORDER BY ${indexed ? `${indexed.column}, ` : ''}usage_time OFFSET 0
) AS charge ${LATEST}
WHERE ${IS_ACTIVE.sql}`;
}

/** The same of the charges with these ids, SQL of an array. */
export function countedChargesOf(ids: string): string {
  return `
SELECT 1 AS sign, ${CURRENT} FROM unnest(${ids}) AS wanted (id) ${chargeOf('wanted.id')} ${LATEST}
WHERE ${IS_ACTIVE.sql}`;
}

/**
 * SQL of the condition that a charge of the tenant `:tenant` is in a range. A comparison of both columns of an index, as
 * in lists: with two comparisons, PostgreSQL may take the index of usage time alone.
 */
export function inRange(part: string, indexed?: { readonly column: string; readonly value: string }): string {
  const [columns, value] = indexed
    ? [`${indexed.column}, usage_time`, `${indexed.value}, `]
    : ['usage_time', ''];
  // The indexes of optional columns have no rows without a value.
  const hasValue = indexed ? `AND ${indexed.column} IS NOT NULL ` : '';
  return `charge.tenant = :tenant ${hasValue}AND (${columns}) >= (${value}${part}.start_time)
    AND (${columns}) < (${value}${part}.end_time)`;
}
