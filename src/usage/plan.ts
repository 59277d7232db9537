/** Where the parts of an answer come from: kept sums wherever they cover a part of the time, charges elsewhere. */

import { DIMENSION, type UsageQuery, WINDOW } from './usage.ts';
import { DAY_MICROS, floorTo, QUARTER_HOUR_MICROS, type TimeRange } from './windows.ts';

/** What a kept sum is over; numbers of the column `level`. Days are days of UTC. */
export const ROLLUP_LEVEL = {
  /** A quarter of an hour, of all user profiles. */
  quarterHour: 1,
  /** A day, of all user profiles. */
  day: 2,
  /** A day of one user profile. */
  userDay: 3,
} as const;

/** A range of time whose sums are kept at one level. */
export interface SumRange extends TimeRange {
  readonly level: number;
}

/** Where an answer comes from. The ranges of `sums` and `charges` do not overlap; all are in order. */
export interface UsagePlan {
  readonly sums: readonly SumRange[];
  readonly charges: readonly TimeRange[];
  /**
   * Parts of the days in `sums` whose charges belong to another window than the noon of their day, in which the sum of
   * the day is counted. Such charges are taken out of that window and counted in their own.
   */
  readonly moved: readonly TimeRange[];
}

/** The finest spans of the kept sums: days, and quarters of an hour if the question does not name user profiles. */
type Spans = readonly { readonly level: number; readonly micros: bigint }[];

/** A plan that uses no kept sums. */
export function chargesOnly({ filter }: UsageQuery): UsagePlan {
  const { startTimeMicros: startMicros, endTimeMicros: endMicros } = filter;
  return { sums: [], charges: [{ startMicros, endMicros }], moved: [] };
}

const USER_SPANS: Spans = [{ level: ROLLUP_LEVEL.userDay, micros: DAY_MICROS }];
const ALL_SPANS: Spans = [
  { level: ROLLUP_LEVEL.day, micros: DAY_MICROS },
  { level: ROLLUP_LEVEL.quarterHour, micros: QUARTER_HOUR_MICROS },
];

/**
 * A plan for a question. `bounds`: where its windows begin and end; undefined: there are none.
 *
 * Sums of a user profile are kept by days of UTC, and most zones have other days. If windows are days or longer, the sum
 * of a day is counted in the window of its noon, and the charges between a bound and the nearest midnight are moved.
 */
export function planUsage(query: UsageQuery, bounds: readonly bigint[] | undefined): UsagePlan {
  const { startTimeMicros: startMicros, endTimeMicros: endMicros } = query.filter;
  const range = { startMicros, endMicros };
  const sums: SumRange[] = [];
  const charges: TimeRange[] = [];
  if (needsCharges(query)) return chargesOnly(query);
  if (!namesUsers(query)) {
    for (const window of windowsOf(range, bounds)) cover(window, ALL_SPANS, sums, charges);
    return { sums, charges, moved: [] };
  }
  if (isShort(query)) return chargesOnly(query);
  cover(range, USER_SPANS, sums, charges);
  return { sums, charges, moved: movedRanges(sums, bounds) };
}

const HALF_DAY_MICROS = DAY_MICROS / 2n;

/** In each summed day: from midnight to the last bound before noon, and from the first bound after noon to midnight. */
function movedRanges(sums: readonly SumRange[], bounds: readonly bigint[] = []): TimeRange[] {
  const moved: TimeRange[] = [];
  for (const bound of bounds) {
    const midnight = floorTo(bound, DAY_MICROS);
    if (bound === midnight || !sums.some((range) => contains(range, midnight))) continue;
    const nextMidnight = midnight + DAY_MICROS;
    const last = moved.at(-1);
    if (bound - midnight > HALF_DAY_MICROS) {
      if (last?.endMicros !== nextMidnight) moved.push({ startMicros: bound, endMicros: nextMidnight });
    } else {
      if (last?.startMicros === midnight) moved.pop();
      moved.push({ startMicros: midnight, endMicros: bound });
    }
  }
  return moved;
}

function contains({ startMicros, endMicros }: TimeRange, micros: bigint): boolean {
  return (
    (startMicros === undefined || startMicros <= micros) && (endMicros === undefined || micros < endMicros)
  );
}

/** Why a question reads charges: what it is about, that it is about user profiles, its times, or that no sum can be used. */
export type ScanCause = 'charges' | 'user profiles' | 'times' | 'no sums';

/** Why a question reads charges, if it does. */
export function scanCause(query: UsageQuery): ScanCause {
  if (needsCharges(query)) return 'charges';
  return namesUsers(query) && isShort(query) ? 'user profiles' : 'times';
}

/** No day of UTC fits into its windows. */
function isShort({ window }: UsageQuery): boolean {
  return window === WINDOW.quarterHour || window === WINDOW.hour;
}

/** Whether the question is about something that the kept sums do not know. */
function needsCharges({ filter, groupBy, groupByLabels }: UsageQuery): boolean {
  const isUnknown = (dimension: number) =>
    dimension === DIMENSION.sessionKey || dimension === DIMENSION.reference;
  return (
    groupByLabels.length > 0 ||
    groupBy.some(isUnknown) ||
    Boolean(filter.sessionKey) ||
    Boolean(filter.reference) ||
    Boolean(filter.importId) ||
    (filter.labels?.size ?? 0) > 0
  );
}

/** Whether the question needs the sums of each user profile. */
export function namesUsers(query: UsageQuery): boolean {
  const { filter, groupBy } = query;
  return (
    Boolean(filter.userProfile) || groupBy.includes(DIMENSION.userProfile) || namesUserProfileLabels(query)
  );
}

/** Whether the question needs the labels of user profiles. */
export function namesUserProfileLabels({ filter, groupByUserProfileLabels }: UsageQuery): boolean {
  return groupByUserProfileLabels.length > 0 || (filter.userProfileLabels?.size ?? 0) > 0;
}

function windowsOf(range: TimeRange, bounds: readonly bigint[] | undefined): TimeRange[] {
  if (bounds === undefined) return [range];
  return bounds.slice(1).map((endMicros, index) => ({ startMicros: bounds[index], endMicros }));
}

/** Covers a range with the longest spans that fit, the rest with shorter ones, and what is left with charges. */
function cover(range: TimeRange, spans: Spans, sums: SumRange[], charges: TimeRange[]): void {
  const { startMicros, endMicros } = range;
  if (startMicros !== undefined && endMicros !== undefined && startMicros >= endMicros) return;
  const [span, ...shorter] = spans;
  if (span === undefined) return append(charges, range, () => true);
  const from = startMicros === undefined ? undefined : -floorTo(-startMicros, span.micros);
  const to = endMicros === undefined ? undefined : floorTo(endMicros, span.micros);
  if (from !== undefined && to !== undefined && from >= to) return cover(range, shorter, sums, charges);
  if (from !== undefined) cover({ startMicros, endMicros: from }, shorter, sums, charges);
  append(sums, { level: span.level, startMicros: from, endMicros: to }, ({ level }) => level === span.level);
  if (to !== undefined) cover({ startMicros: to, endMicros }, shorter, sums, charges);
}

/** Appends a range, or makes the last one longer if the two touch and are of one kind. */
function append<Range extends TimeRange>(
  ranges: Range[],
  range: Range,
  isSameKind: (last: Range) => boolean,
): void {
  const last = ranges.at(-1);
  if (last !== undefined && last.endMicros === range.startMicros && isSameKind(last)) {
    ranges[ranges.length - 1] = { ...last, endMicros: range.endMicros };
  } else {
    ranges.push(range);
  }
}
