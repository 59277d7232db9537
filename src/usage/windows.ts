/** Windows of time in the zones of the world. */

import { Temporal } from 'temporal-polyfill';

import { WINDOW } from './usage.ts';

/** A range of time in microseconds; undefined: no bound. */
export interface TimeRange {
  readonly startMicros: bigint | undefined;
  readonly endMicros: bigint | undefined;
}

export const QUARTER_HOUR_MICROS = 900_000_000n;
const HOUR_MICROS = 3_600_000_000n;
export const DAY_MICROS = 86_400_000_000n;

/** Windows of one range, at most. */
export const WINDOWS_MAX = 50_000;

/** Whether the zone has this IANA name. */
export function isTimeZone(name: string): boolean {
  // An offset such as +01:00 has no name, and PostgreSQL would read its sign the other way round.
  if (!/^[A-Za-z]/.test(name)) return false;
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

/**
 * The bounds of the windows that a range is divided into: where the range starts, where each further window starts, and
 * where the range ends. Undefined: more than {@link WINDOWS_MAX} windows.
 */
export function windowBounds(
  window: number,
  timeZone: string,
  startMicros: bigint,
  endMicros: bigint,
): bigint[] | undefined {
  const bounds = [startMicros];
  const longest = LONGEST_MICROS[window];
  if (longest !== undefined && (endMicros - startMicros) / longest > WINDOWS_MAX) return undefined;
  for (const start of STARTS[window]?.(startMicros, timeZone) ?? []) {
    if (start >= endMicros) break;
    if (bounds.length === WINDOWS_MAX) return undefined;
    bounds.push(start);
  }
  bounds.push(endMicros);
  return bounds;
}

/** More than the longest window lasts, so that a range of thousands of years is refused before half a second of work. */
const LONGEST_MICROS: Readonly<Record<number, bigint>> = {
  [WINDOW.quarterHour]: QUARTER_HOUR_MICROS,
  [WINDOW.hour]: 3n * HOUR_MICROS,
  [WINDOW.day]: 3n * DAY_MICROS,
  [WINDOW.week]: 9n * DAY_MICROS,
  [WINDOW.month]: 33n * DAY_MICROS,
};

/** Where windows start after a moment, in order, without an end. */
type Starts = (afterMicros: bigint, timeZone: string) => Iterable<bigint>;

const STARTS: Readonly<Record<number, Starts>> = {
  // The offsets of today are multiples of a quarter of an hour, so its quarters are those of UTC.
  [WINDOW.quarterHour]: (after) => multiples(after, QUARTER_HOUR_MICROS),
  [WINDOW.hour]: hours,
  [WINDOW.day]: (after, timeZone) => dates(after, timeZone, (date) => date.add({ days: 1 })),
  [WINDOW.week]: (after, timeZone) =>
    dates(after, timeZone, (date) => date.add({ days: 8 - date.dayOfWeek })),
  [WINDOW.month]: (after, timeZone) =>
    dates(after, timeZone, (date) => date.with({ day: 1 }).add({ months: 1 })),
};

function* multiples(afterMicros: bigint, unit: bigint): Generator<bigint> {
  for (let start = floorTo(afterMicros, unit) + unit; ; start += unit) yield start;
}

/**
 * When the clock of the zone shows a full hour, or another hour because it was changed. Between two changes this is
 * arithmetic: a year of hours, each by way of the zone's rules, would keep the process busy for 0.2 s.
 */
function* hours(afterMicros: bigint, timeZone: string): Generator<bigint> {
  for (let from = zoned(afterMicros, timeZone); ;) {
    const offset = offsetOf(from);
    const change = from.getTimeZoneTransition('next');
    const until = change === null ? undefined : microsOf(change);
    for (const local of multiples(microsOf(from) + offset, HOUR_MICROS)) {
      if (until !== undefined && local - offset >= until) break;
      yield local - offset;
    }
    if (change === null || until === undefined) return;
    const before = until - 1n + offset;
    const after = until + offsetOf(change);
    if (after % HOUR_MICROS === 0n || floorTo(before, HOUR_MICROS) !== floorTo(after, HOUR_MICROS))
      yield until;
    from = change;
  }
}

/** When dates begin. `next`: the first date of the next window. */
function* dates(
  afterMicros: bigint,
  timeZone: string,
  next: (date: Temporal.PlainDate) => Temporal.PlainDate,
): Generator<bigint> {
  let last = afterMicros;
  for (let date = next(zoned(last, timeZone).toPlainDate()); ; date = next(date)) {
    const start = microsOf(date.toZonedDateTime(timeZone));
    // Not later: a zone left a date out, or its clock was put back from a date to the one before.
    if (start > last) yield (last = start);
  }
}

function zoned(micros: bigint, timeZone: string): Temporal.ZonedDateTime {
  return new Temporal.ZonedDateTime(micros * 1000n, timeZone);
}

function microsOf({ epochNanoseconds }: Temporal.ZonedDateTime): bigint {
  return epochNanoseconds / 1000n;
}

function offsetOf({ offsetNanoseconds }: Temporal.ZonedDateTime): bigint {
  return BigInt(offsetNanoseconds) / 1000n;
}

/** The last multiple of `unit` that is not after `micros`, also before 1970. */
export function floorTo(micros: bigint, unit: bigint): bigint {
  const rest = micros % unit;
  return micros - (rest < 0n ? rest + unit : rest);
}
