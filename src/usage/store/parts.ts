/** The parts that an answer is the sum of. Each has one row for each window, group and pair of currencies. */

import { countedCharges, signedCharges } from '../../charges/index.ts';
import { ROLLUP_LEVEL } from '../plan.ts';
import type { UsageQuery } from '../usage.ts';
import { CURRENCY_COLUMNS, type DimensionColumn, SUMS } from './columns.ts';
import { conditionsOf } from './conditions.ts';

/** How rows are grouped. */
export interface Grouping {
  readonly dimensions: readonly DimensionColumn[];
  /** Whether rows belong to windows: those between the `:bounds`. */
  readonly hasWindows: boolean;
}

/** Common table expression: the last number of the journal, and how far the kept sums follow it. */
export const STATE = `state AS MATERIALIZED (
  SELECT journal_head.last_sequence AS head, coalesce(usage_cursor.sequence, 0) AS cursor
  FROM journal_head LEFT JOIN usage_cursor USING (tenant) WHERE tenant = :tenant
)`;

/** Kept sums as of the cursor, for the times between `:sumStarts` and `:sumEnds`. */
export function keptSums(query: UsageQuery, grouping: Grouping): string {
  const from = query.filter.userProfile ? USER_ROLLUPS : ROLLUPS;
  const columns = keysOf(grouping).map(({ name }) => `rollup.${name}`);
  const sums = SUMS.map(({ name }) => `sum(rollup.${name}) AS ${name}`);
  return `
SELECT ${windowOf('rollup.start_time', grouping)} AS win, ${[...columns, ...sums].join(', ')}
FROM ${from} AND ${conditionsOf(query.filter, 'rollup')}
GROUP BY ${placesOf(grouping)}`;
}

const PART = `unnest(:sumLevels::smallint[], :sumStarts::timestamptz[], :sumEnds::timestamptz[])
    AS part (level, start_time, end_time)`;

const ROLLUPS = `${PART} JOIN usage_rollup AS rollup ON rollup.tenant = :tenant AND rollup.level = part.level
  AND rollup.start_time >= part.start_time AND rollup.start_time < part.end_time`;

/**
 * The days that there are come from the sums of all users, so that one user's rows are found by their key. OFFSET 0 makes
 * each a look-up, whatever PostgreSQL believes about the size of the table. (Where many rows are read, it costs 1 µs a row.)
 */
const USER_ROLLUPS = `(
    SELECT DISTINCT day.start_time FROM ${PART} JOIN LATERAL (
      SELECT r.start_time FROM usage_rollup AS r WHERE r.tenant = :tenant AND r.level = ${ROLLUP_LEVEL.day}
        AND r.start_time >= part.start_time AND r.start_time < part.end_time OFFSET 0
    ) AS day ON true
  ) AS day JOIN LATERAL (
    SELECT * FROM usage_rollup AS r WHERE r.tenant = :tenant AND r.level = ${ROLLUP_LEVEL.userDay}
      AND r.start_time = day.start_time AND r.user_profile = :userProfile OFFSET 0
  ) AS rollup ON true`;

/** For the times of the kept sums: what the events after the cursor changed. */
export function newerThanSums(query: UsageQuery, grouping: Grouping): string {
  const events = signedCharges('(SELECT cursor FROM state)', '(SELECT head FROM state)');
  return ofCharges(
    `SELECT * FROM (${events}) AS charge
     WHERE charge.usage_time <@ :summed::tstzmultirange AND ${conditionsOf(query.filter, 'charge')}`,
    grouping,
  );
}

/** Charges as they are now, for the times between `:chargeStarts` and `:chargeEnds`. */
export function charges(query: UsageQuery, grouping: Grouping): string {
  const join = `JOIN unnest(:chargeStarts::timestamptz[], :chargeEnds::timestamptz[]) AS part (start_time, end_time)
    ON charge.usage_time >= part.start_time AND charge.usage_time < part.end_time`;
  return ofCharges(countedCharges(join, conditionsOf(query.filter, 'charge')), grouping);
}

/** Taken out: what the events after `:asOf` changed. */
export function newerThanAsked(query: UsageQuery, grouping: Grouping): string {
  return ofCharges(
    `SELECT * FROM (${signedCharges(':asOf::bigint', '(SELECT head FROM state)')}) AS charge
     WHERE charge.usage_time >= :startTime::timestamptz AND charge.usage_time < :endTime::timestamptz
       AND ${conditionsOf(query.filter, 'charge')}`,
    grouping,
    '-',
  );
}

function ofCharges(relation: string, grouping: Grouping, sign = ''): string {
  const columns = keysOf(grouping).map(({ name, ofCharge }) => `${ofCharge} AS ${name}`);
  const sums = SUMS.map(({ name, ofCharge }) => `coalesce(${sign}sum(${ofCharge}), 0)::numeric AS ${name}`);
  return `
SELECT ${windowOf('charge.usage_time', grouping)} AS win, ${[...columns, ...sums].join(', ')}
FROM (${relation}) AS charge
GROUP BY ${placesOf(grouping)}`;
}

function keysOf({ dimensions }: Grouping): readonly DimensionColumn[] {
  return [...dimensions, ...CURRENCY_COLUMNS];
}

function windowOf(time: string, { hasWindows }: Grouping): string {
  return hasWindows ? `width_bucket(${time}, :bounds::timestamptz[])` : '1';
}

/** The window and the keys, by their places in the select list. */
function placesOf(grouping: Grouping): string {
  return ['win', ...keysOf(grouping)].map((_, index) => index + 1).join(', ');
}
