/** Answers a question about usage by adding up charges one by one. */

import { Temporal } from 'temporal-polyfill';
import { type UsageKind, type Money } from '../../../../generated/charge/v1/money.ts';
import {
  UsageDimension as By,
  UsageGroup,
  UsageOrder,
  UsageRow,
  UsageWindow,
  type UsageQuery,
} from '../../../../generated/charge/v1/usage_service.ts';
import { ChargeType, type Provider } from '../../../../generated/charge/v1/charge.ts';
import { windowEnd, windowStart, type WindowName } from '../../../../src/cli/usage/windows.ts';

/** A charge, as far as these tests need it. */
export interface Used {
  readonly time: string;
  readonly user: string;
  readonly provider: Provider;
  readonly model: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Undefined: it is unpriced. */
  readonly cost: readonly [currency: string, nanos: bigint] | undefined;
  readonly reported?: readonly [currency: string, nanos: bigint];
  readonly prompt: bigint;
  readonly completion: bigint;
  readonly quantities: Readonly<Partial<Record<UsageKind, bigint>>>;
}

const WINDOWS: Readonly<Partial<Record<UsageWindow, WindowName>>> = {
  [UsageWindow.USAGE_WINDOW_QUARTER_HOUR]: '15m',
  [UsageWindow.USAGE_WINDOW_HOUR]: 'hour',
  [UsageWindow.USAGE_WINDOW_DAY]: 'day',
  [UsageWindow.USAGE_WINDOW_WEEK]: 'week',
  [UsageWindow.USAGE_WINDOW_MONTH]: 'month',
};

interface Bounds {
  start: bigint | undefined;
  end: bigint | undefined;
}

/** The rows of the answer, in order. */
export function answer(used: readonly Used[], query: UsageQuery): UsageRow[] {
  const { filter, groupBy, groupByLabels } = query;
  const range = { start: nanosOf(filter?.startTime), end: nanosOf(filter?.endTime) };
  const name = WINDOWS[query.window];
  const boundsOf = (time: bigint): Bounds =>
    name ? windowBounds(time, name, query.timeZone || 'UTC', range) : range;
  const rows = new Map<string, UsageRow>();
  const rowOf = (group: UsageGroup, bounds: Bounds): UsageRow => {
    const key = JSON.stringify([UsageGroup.toJSON(group), String(bounds.start)]);
    const row = rows.get(key) ?? emptyRow(group, bounds);
    rows.set(key, row);
    return row;
  };
  const groups = new Map<string, UsageGroup>();
  for (const one of used.filter((one) => isWanted(one, query, range))) {
    const group = groupOf(one, query);
    groups.set(JSON.stringify(UsageGroup.toJSON(group)), group);
    add(rowOf(group, boundsOf(timeOf(one))), one);
  }
  const isWhole = groupBy.length + groupByLabels.length === 0;
  if (isWhole) groups.set('', UsageGroup.fromPartial({}));
  if (query.fill && range.start !== undefined && range.end !== undefined) {
    for (let time = range.start; time < range.end; time = boundsOf(time).end ?? range.end)
      for (const group of groups.values()) rowOf(group, boundsOf(time));
  } else if (isWhole && !name) rowOf(UsageGroup.fromPartial({}), range);
  return [...rows.values()].sort(orderOf(query));
}

function isWanted(used: Used, { filter }: UsageQuery, range: Bounds): boolean {
  const time = timeOf(used);
  if (range.start !== undefined && time < range.start) return false;
  if (range.end !== undefined && time >= range.end) return false;
  if (!filter) return true;
  return (
    (filter.userProfile === '' || filter.userProfile === used.user) &&
    (filter.model === '' || filter.model === used.model) &&
    (filter.provider === 0 || filter.provider === used.provider) &&
    [...filter.labels].every(([key, value]) => used.labels[key] === value)
  );
}

function groupOf(used: Used, { groupBy, groupByLabels }: UsageQuery): UsageGroup {
  const has = (by: By): boolean => groupBy.includes(by);
  return UsageGroup.fromPartial({
    ...(has(By.USAGE_DIMENSION_USER_PROFILE) ? { userProfile: used.user } : {}),
    ...(has(By.USAGE_DIMENSION_MODEL) ? { model: used.model } : {}),
    ...(has(By.USAGE_DIMENSION_PROVIDER) ? { provider: used.provider } : {}),
    ...(has(By.USAGE_DIMENSION_CHARGE_TYPE) ? { chargeType: ChargeType.CHARGE_TYPE_COMPLETION } : {}),
    labels: new Map(groupByLabels.map((key) => [key, used.labels[key] ?? ''])),
  });
}

function add(row: UsageRow, used: Used): void {
  row.charges += 1n;
  row.promptTokens += used.prompt;
  row.completionTokens += used.completion;
  row.totalTokens += used.prompt + used.completion;
  if (used.cost) addMoney(row.costs, used.cost);
  else row.unpricedCharges += 1n;
  if (used.reported) addMoney(row.reportedCosts, used.reported);
  for (const [kind, amount] of Object.entries(used.quantities)) {
    const known = row.quantities.find((quantity) => quantity.kind === Number(kind));
    if (known) known.amount += amount;
    else if (amount > 0n) row.quantities.push({ kind: Number(kind) as UsageKind, amount });
  }
}

function addMoney(amounts: Money[], [currencyCode, nanos]: readonly [string, bigint]): void {
  const known = amounts.find((money) => money.currencyCode === currencyCode);
  if (known) known.nanos += nanos;
  else amounts.push({ currencyCode, nanos });
  amounts.sort((a, b) => (a.currencyCode < b.currencyCode ? -1 : 1));
}

function emptyRow(group: UsageGroup, { start, end }: Bounds): UsageRow {
  const time = (nanos: bigint | undefined) =>
    nanos === undefined
      ? undefined
      : { seconds: nanos / 1_000_000_000n, nanos: Number(nanos % 1_000_000_000n) };
  return { ...UsageRow.fromPartial({}), group, windowStart: time(start), windowEnd: time(end) };
}

function orderOf({ orderBy, currencyCode }: UsageQuery): (a: UsageRow, b: UsageRow) => number {
  const money = (amounts: readonly Money[]): bigint =>
    amounts.find((amount) => amount.currencyCode === currencyCode)?.nanos ?? 0n;
  const measures: Readonly<Partial<Record<UsageOrder, (row: UsageRow) => bigint>>> = {
    [UsageOrder.USAGE_ORDER_CHARGES]: ({ charges }) => charges,
    [UsageOrder.USAGE_ORDER_TOTAL_TOKENS]: ({ totalTokens }) => totalTokens,
    [UsageOrder.USAGE_ORDER_PROMPT_TOKENS]: ({ promptTokens }) => promptTokens,
    [UsageOrder.USAGE_ORDER_COMPLETION_TOKENS]: ({ completionTokens }) => completionTokens,
    [UsageOrder.USAGE_ORDER_COST]: ({ costs }) => money(costs),
    [UsageOrder.USAGE_ORDER_REPORTED_COST]: ({ reportedCosts }) => money(reportedCosts),
    [UsageOrder.USAGE_ORDER_UNPRICED_CHARGES]: ({ unpricedCharges }) => unpricedCharges,
  };
  const measure = measures[orderBy] ?? (() => 0n);
  const tie = (row: UsageRow): string =>
    `${row.windowStart?.seconds.toString().padStart(20, '0')} ${JSON.stringify(row.group && UsageGroup.toJSON(row.group))}`;
  return (a, b) => Number(measure(b) - measure(a)) || (tie(a) < tie(b) ? -1 : 1);
}

function windowBounds(time: bigint, name: WindowName, zone: string, range: Bounds): Bounds {
  const moment = new Temporal.ZonedDateTime(time, zone);
  const start = windowStart(moment, name).epochNanoseconds;
  const end = windowEnd(moment, name).epochNanoseconds;
  return {
    start: range.start !== undefined && range.start > start ? range.start : start,
    end: range.end !== undefined && range.end < end ? range.end : end,
  };
}

function timeOf({ time }: Used): bigint {
  return BigInt(Date.parse(time)) * 1_000_000n;
}

function nanosOf(time: { seconds: bigint; nanos: number } | undefined): bigint | undefined {
  return time && time.seconds * 1_000_000_000n + BigInt(time.nanos);
}
