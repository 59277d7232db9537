/** The statement that answers a question about usage. */

import type { Statement } from '../../database/read-connections.ts';
import { timestamptzFromMicros } from '../../database/types/micros.ts';
import type { UsagePlan } from '../plan.ts';
import { columnsOf, ORDER, SUM_COLUMNS, type UsagePlace, type UsageQuery } from '../usage.ts';
import type { TimeRange } from '../windows.ts';
import {
  DIMENSION_COLUMNS,
  type DimensionColumn,
  labelColumn,
  sumOfSums,
  sumsOf,
  userProfileLabelColumn,
} from './columns.ts';
import { conditionParameters, type Parameters } from './conditions.ts';
import type { JournalState } from './journal-state.ts';
import { charges, type Grouping, keptSums, movedCharges, newerThanAsked, newerThanSums } from './parts.ts';

/** A question with what was decided about it. */
export interface UsageStatementOptions {
  readonly query: UsageQuery;
  readonly plan: UsagePlan;
  /** Where windows begin and end; undefined: there are none. */
  readonly bounds: readonly bigint[] | undefined;
  /** Undefined: every row. */
  readonly limit: number | undefined;
  /** Go on after this row; undefined: from the first one. */
  readonly after: UsagePlace | undefined;
}

/** The rows of an answer, in order, in the snapshot in which the state of the journal was read. */
export function usageStatement(
  tenant: string,
  { cursor, head }: JournalState,
  options: UsageStatementOptions,
): Statement {
  const { query, plan, bounds, limit, after } = options;
  const { asOfSequence } = query;
  const grouping = { dimensions: dimensionsOf(query), hasWindows: bounds !== undefined };
  const hasSums = plan.sums.length > 0;
  // PostgreSQL needs more time to plan the parts that read the journal than for many an answer.
  const parts = [
    hasSums && keptSums(query, grouping),
    hasSums && cursor !== undefined && cursor < head && newerThanSums(query, grouping),
    plan.charges.length > 0 && charges(query, grouping),
    plan.moved.length > 0 && movedCharges(query, grouping),
    asOfSequence !== undefined && asOfSequence < head && newerThanAsked(query, grouping),
  ].filter((part) => part !== false);
  const order = ['measure DESC', 'win', ...grouping.dimensions.map(({ name }) => name)].join(', ');
  return {
    sql: `
WITH part AS (${parts.join('\nUNION ALL\n')}
), total AS (${totals(query, grouping)}
)${query.fill ? `, ${filled(query, grouping)}` : ''}
SELECT * FROM ${query.fill ? 'filled' : 'total'} ${after === undefined ? '' : `WHERE ${isAfter(grouping)}`}
ORDER BY ${order} ${limit === undefined ? '' : 'LIMIT :limit'}`,
    parameters: {
      tenant,
      cursor,
      head,
      ...conditionParameters(query.filter),
      ...planParameters(plan),
      ...Object.fromEntries(query.groupByLabels.map((key, place) => [`labelKey${place}`, key])),
      ...Object.fromEntries(
        query.groupByUserProfileLabels.map((key, place) => [`userProfileLabelKey${place}`, key]),
      ),
      bounds: bounds?.map(timestamptzFromMicros),
      windows: bounds && bounds.length - 1,
      groupsMax: bounds && Math.floor(FILLED_ROWS_MAX / (bounds.length - 1)),
      startTime: startOf({ startMicros: query.filter.startTimeMicros }),
      endTime: endOf({ endMicros: query.filter.endTimeMicros }),
      asOf: asOfSequence,
      currency: query.currencyCode,
      limit,
      ...(after && placeParameters(after)),
    },
  };
}

/** The columns that a question groups by, in its order. */
export function dimensionsOf({
  groupBy,
  groupByLabels,
  groupByUserProfileLabels,
}: UsageQuery): DimensionColumn[] {
  return [
    ...groupBy.flatMap((dimension) => DIMENSION_COLUMNS.get(dimension) ?? []),
    ...groupByLabels.map((_, place) => labelColumn(place)),
    ...groupByUserProfileLabels.map((_, place) => userProfileLabelColumn(place)),
  ];
}

/**
 * The sum of the parts. A group without a charge has no row, and a currency without one no amount: kept sums remember
 * them. Everything together always has a row.
 */
function totals(query: UsageQuery, { dimensions, hasWindows }: Grouping): string {
  const keys = ['win', ...dimensions.map(({ name }) => name)].join(', ');
  const isOneRow = dimensions.length === 0 && !hasWindows;
  return `
  SELECT ${isOneRow ? '1 AS win' : keys}, coalesce(${measureOf(query)}, 0) AS measure, ${singleSums(query).map(sumOfSums).join(', ')},
    ${amountsOf(query)} AS amounts
  FROM (
    SELECT ${keys}, cost_currency, reported_cost_currency,
      sum(charges) FILTER (WHERE cost_currency = '') AS unpriced_charges,
      ${sumsOf(query)
        .map(({ name }) => sumOfSums(name))
        .join(', ')}
    FROM part GROUP BY ${keys}, cost_currency, reported_cost_currency HAVING sum(charges) <> 0
  ) AS by_currency ${isOneRow ? '' : `GROUP BY ${keys}`}`;
}

/** The sums of the question that have one number each. */
function singleSums(query: UsageQuery): string[] {
  const columns = columnsOf(query);
  return SUM_COLUMNS.filter((name) => columns.has(name));
}

/** The costs and the reported costs of each pair of currencies, as far as the question needs them. */
function amountsOf(query: UsageQuery): string {
  const columns = columnsOf(query);
  const pairs = [
    ['cost_currency', 'cost_nanos'],
    ['reported_cost_currency', 'reported_cost_nanos'],
  ] as const;
  if (!pairs.some(([, nanos]) => columns.has(nanos))) return `'[]'::jsonb`;
  const items = pairs.map(([currency, nanos]) =>
    columns.has(nanos) ? `${currency}, ${nanos}::text` : `'', NULL`,
  );
  return `coalesce(jsonb_agg(jsonb_build_array(${items.join(', ')})), '[]')`;
}

/** Rows of a filled answer, at most. */
export const FILLED_ROWS_MAX = 1_000_000;

/**
 * Every window of every group that has a charge in one of them. More groups than `:groupsMax` are an error; each row has
 * both numbers.
 */
function filled(query: UsageQuery, { dimensions }: Grouping): string {
  const names = dimensions.map(({ name }) => name);
  const keys = ['win', ...names].join(', ');
  const distinct = names.length === 0 ? '1' : `DISTINCT ${names.join(', ')}`;
  const from = names.length === 0 ? '(SELECT 1) AS one' : 'total';
  return `groups AS MATERIALIZED (
  SELECT ${distinct} FROM ${from} LIMIT :groupsMax::int + 1
), filled AS (
  SELECT ${keys}, coalesce(total.measure, 0) AS measure, ${singleSums(query).join(', ')}, coalesce(total.amounts, '[]') AS amounts,
    (SELECT count(*) FROM groups)::int AS groups, :groupsMax::int AS groups_max
  FROM generate_series(1, :windows::int) AS win CROSS JOIN groups LEFT JOIN total USING (${keys})
)`;
}

function measureOf({ orderBy }: UsageQuery): string {
  switch (orderBy) {
    case ORDER.charges:
      return 'sum(charges)';
    case ORDER.totalTokens:
      return 'sum(total_tokens)';
    case ORDER.promptTokens:
      return 'sum(prompt_tokens)';
    case ORDER.completionTokens:
      return 'sum(completion_tokens)';
    case ORDER.cost:
      return 'sum(cost_nanos) FILTER (WHERE cost_currency = :currency)';
    case ORDER.reportedCost:
      return 'sum(reported_cost_nanos) FILTER (WHERE reported_cost_currency = :currency)';
    case ORDER.unpricedCharges:
      return 'sum(unpriced_charges)';
    default:
      return '0::numeric';
  }
}

function isAfter({ dimensions }: Grouping): string {
  const keys = ['win', ...dimensions.map(({ name }) => name)].join(', ');
  const place = [':afterWindow::int', ...dimensions.map(({ type }, index) => `:after${index}::${type}`)].join(
    ', ',
  );
  return `measure < :afterMeasure::numeric OR (measure = :afterMeasure::numeric AND (${keys}) > (${place}))`;
}

function placeParameters({ measure, window, group }: UsagePlace): Parameters {
  return {
    afterMeasure: measure,
    afterWindow: window,
    ...Object.fromEntries(group.map((value, index) => [`after${index}`, value])),
  };
}

function planParameters({ sums, charges: read, moved }: UsagePlan): Parameters {
  return {
    sumLevels: sums.map(({ level }) => level),
    sumStarts: sums.map(startOf),
    sumEnds: sums.map(endOf),
    summed: `{${sums.map((range) => `[${startOf(range)},${endOf(range)})`).join(',')}}`,
    firstSum: startOf(sums[0] ?? {}),
    lastSum: endOf(sums.at(-1) ?? {}),
    chargeStarts: read.map(startOf),
    chargeEnds: read.map(endOf),
    movedStarts: moved.map(startOf),
    movedEnds: moved.map(endOf),
  };
}

/** PostgreSQL's text for the start of a range. */
export function startOf({ startMicros }: Partial<TimeRange>): string {
  return startMicros === undefined ? '-infinity' : timestamptzFromMicros(startMicros);
}

/** PostgreSQL's text for the end of a range. */
export function endOf({ endMicros }: Partial<TimeRange>): string {
  return endMicros === undefined ? 'infinity' : timestamptzFromMicros(endMicros);
}
