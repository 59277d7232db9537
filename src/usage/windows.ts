/** Windows of time in the zones of the world. */

import { Temporal } from 'temporal-polyfill';

import { WINDOW } from './usage.ts';

/** A range of time in microseconds; undefined: no bound. */
export interface TimeRange {
  readonly startMicros: bigint | undefined;
  readonly endMicros: bigint | undefined;
}

export const QUARTER_HOUR_MICROS = 900_000_000n;
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
  const next = NEXT[window];
  if (next === undefined) return [startMicros, endMicros];
  for (let start = next(startMicros, timeZone); start < endMicros; start = next(start, timeZone)) {
    if (bounds.length === WINDOWS_MAX) return undefined;
    bounds.push(start);
  }
  bounds.push(endMicros);
  return bounds;
}

/** The start of the first window after a moment. */
type Next = (micros: bigint, timeZone: string) => bigint;

const NEXT: Readonly<Record<number, Next>> = {
  [WINDOW.quarterHour]: nextQuarterHour,
  [WINDOW.hour]: nextHour,
  [WINDOW.day]: (micros, timeZone) => startOf(dateOf(micros, timeZone).add({ days: 1 }), timeZone),
  [WINDOW.week]: (micros, timeZone) => {
    const date = dateOf(micros, timeZone);
    return startOf(date.add({ days: 8 - date.dayOfWeek }), timeZone);
  },
  [WINDOW.month]: (micros, timeZone) =>
    startOf(dateOf(micros, timeZone).with({ day: 1 }).add({ months: 1 }), timeZone),
};

/** Offsets of zones are multiples of a quarter of an hour, so its quarters are those of UTC. */
function nextQuarterHour(micros: bigint): bigint {
  return floorTo(micros, QUARTER_HOUR_MICROS) + QUARTER_HOUR_MICROS;
}

/** When the clock of the zone next shows a full hour, or another hour because it was changed. */
function nextHour(micros: bigint, timeZone: string): bigint {
  const { hour } = zoned(micros, timeZone);
  let next = nextQuarterHour(micros);
  for (;;) {
    const local = zoned(next, timeZone);
    if (local.minute === 0 || local.hour !== hour) return next;
    next += QUARTER_HOUR_MICROS;
  }
}

function dateOf(micros: bigint, timeZone: string): Temporal.PlainDate {
  return zoned(micros, timeZone).toPlainDate();
}

function startOf(date: Temporal.PlainDate, timeZone: string): bigint {
  return date.toZonedDateTime(timeZone).epochNanoseconds / 1000n;
}

function zoned(micros: bigint, timeZone: string): Temporal.ZonedDateTime {
  return new Temporal.ZonedDateTime(micros * 1000n, timeZone);
}

/** The last multiple of `unit` that is not after `micros`, also before 1970. */
export function floorTo(micros: bigint, unit: bigint): bigint {
  const rest = micros % unit;
  return micros - (rest < 0n ? rest + unit : rest);
}
