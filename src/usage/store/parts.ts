/** The parts that an answer is the sum of. Each has rows for each window, group and pair of currencies. */

import { countedCharges, signedCharges } from '../../charges/index.ts';
import { namesUsers, ROLLUP_LEVEL } from '../plan.ts';
import type { UsageQuery } from '../usage.ts';
import { CURRENCY_COLUMNS, type DimensionColumn, ORIGIN, sumsOf, sumsOfCharges } from './columns.ts';
import { conditionsBesideIndex, conditionsOf, indexedOf, withUserProfiles } from './conditions.ts';

/** How rows are grouped. */
export interface Grouping {
  readonly dimensions: readonly DimensionColumn[];
  /** Whether rows belong to windows: those between the `:bounds`. */
  readonly hasWindows: boolean;
}

/** Kept sums as of the cursor, for the times between `:sumStarts` and `:sumEnds`. */
export function keptSums(query: UsageQuery, grouping: Grouping): string {
  const from = query.filter.userProfile ? USER_ROLLUPS : ROLLUPS;
  const keys = keysOf(grouping).map(({ name, ofSum = `rollup.${name}` }) => `${ofSum} AS ${name}`);
  const columns = [...keys, ...sumsOf(query).map(({ name }) => `rollup.${name}`)];
  const time = namesUsers(query) ? `rollup.start_time + ${HALF_DAY}` : 'rollup.start_time';
  return `
SELECT ${windowOf(time, grouping)} AS win, ${columns.join(', ')}
FROM ${from} ${withUserProfiles(query, 'rollup')} WHERE ${conditionsOf(query.filter, 'rollup')}`;
}

const ROLLUPS = `unnest(:sumLevels::smallint[], :sumStarts::timestamptz[], :sumEnds::timestamptz[])
    AS part (level, start_time, end_time)
  JOIN usage_rollup AS rollup ON rollup.tenant = :tenant AND rollup.level = part.level
    AND rollup.start_time >= part.start_time AND rollup.start_time < part.end_time`;

const FIRST_DAY = (condition: string): string => `
      SELECT start_time FROM usage_rollup
      WHERE tenant = :tenant AND level = ${ROLLUP_LEVEL.day} AND ${condition} ORDER BY start_time LIMIT 1`;

/**
 * The days that there are come from the sums of all users, each by one look-up, and one user's rows of a day by another
 * one. A join would read the rows of all users, or those of the user's other years.
 */
const USER_ROLLUPS = `(
    WITH RECURSIVE day AS (
      (${FIRST_DAY('start_time >= :firstSum::timestamptz')})
      UNION ALL
      SELECT (${FIRST_DAY('start_time > day.start_time')}) FROM day WHERE day.start_time < :lastSum::timestamptz
    ) SELECT start_time FROM day WHERE start_time < :lastSum::timestamptz
  ) AS day CROSS JOIN LATERAL (
    SELECT * FROM usage_rollup WHERE tenant = (SELECT :tenant::text) AND level = ${ROLLUP_LEVEL.userDay}
      AND usage_rollup.start_time = day.start_time AND user_profile = :userProfile OFFSET 0
  ) AS rollup`;

const HALF_DAY = `interval '12 hours'`;
const NOON = `date_bin('1 day', charge.usage_time, ${ORIGIN}) + ${HALF_DAY}`;

/** For the times of the kept sums: what the events after the cursor changed, in the windows of those sums. */
export function newerThanSums(query: UsageQuery, grouping: Grouping): string {
  const relation = `SELECT * FROM (${signedCharges(':cursor::bigint', ':head::bigint')}) AS charge
    WHERE charge.usage_time <@ :summed::tstzmultirange AND ${conditionsOf(query.filter, 'charge')}`;
  return ofCharges(query, relation, grouping, { time: namesUsers(query) ? NOON : USAGE_TIME });
}

const USAGE_TIME = 'charge.usage_time';

/** Charges as they are now, for the times between `:chargeStarts` and `:chargeEnds`. */
export function charges(query: UsageQuery, grouping: Grouping): string {
  return ofCharges(query, between('charge', query), grouping, { time: USAGE_TIME });
}

/**
 * For the times between `:movedStarts` and `:movedEnds`: charges as they are now, in their own windows, and taken out of
 * those of the kept sums.
 */
export function movedCharges(query: UsageQuery, grouping: Grouping): string {
  const relation = `SELECT charge.*, move.factor,
      CASE move.factor WHEN 1 THEN ${USAGE_TIME} ELSE ${NOON} END AS counted_time
    FROM (${between('moved', query)}) AS charge CROSS JOIN (VALUES (1), (-1)) AS move (factor)`;
  return ofCharges(query, relation, grouping, { time: 'charge.counted_time', factor: 'charge.factor' });
}

function between(times: 'charge' | 'moved', query: UsageQuery): string {
  const ranges = `unnest(:${times}Starts::timestamptz[], :${times}Ends::timestamptz[])`;
  return countedCharges(ranges, conditionsBesideIndex(query.filter), indexedOf(query.filter));
}

/** Taken out: what the events after `:asOf` changed. */
export function newerThanAsked(query: UsageQuery, grouping: Grouping): string {
  return ofCharges(
    query,
    `SELECT * FROM (${signedCharges(':asOf::bigint', ':head::bigint')}) AS charge
     WHERE charge.usage_time >= :startTime::timestamptz AND charge.usage_time < :endTime::timestamptz
       AND ${conditionsOf(query.filter, 'charge')}`,
    grouping,
    { time: USAGE_TIME, factor: '-charge.sign' },
  );
}

/** How charges are counted: in the window of a time, and with a factor. */
interface Counting {
  readonly time: string;
  readonly factor?: string;
}

function ofCharges(
  query: UsageQuery,
  relation: string,
  grouping: Grouping,
  { time, factor = 'charge.sign' }: Counting,
): string {
  const columns = keysOf(grouping).map(({ name, ofCharge }) => `${ofCharge} AS ${name}`);
  return `
SELECT ${windowOf(time, grouping)} AS win, ${[...columns, sumsOfCharges(factor, sumsOf(query))].join(', ')}
FROM (${relation}) AS charge ${withUserProfiles(query, 'charge')}
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
