/** Windows by the clocks of the zones, as Intl shows them, minute by minute where a clock is changed. */

import { expect, test } from '@jest/globals';
import fc from 'fast-check';

import { WINDOW } from '../../src/usage/usage.ts';
import { DAY_MICROS, isTimeZone, windowBounds, WINDOWS_MAX } from '../../src/usage/windows.ts';

const micros = (text: string): bigint => BigInt(Date.parse(text)) * 1000n;
const MINUTE = 60_000;
const QUARTER = 15 * MINUTE;
const HOUR = 4 * QUARTER;
const DAY = 24 * HOUR;

/** Milliseconds that a clock in the zone shows, as if they were UTC. */
function clockOf(timeZone: string): (millis: number) => number {
  const format = new Intl.DateTimeFormat('en-u-ca-iso8601-nu-latn', {
    timeZone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  });
  return (millis) => {
    const parts = new Map(format.formatToParts(millis).map(({ type, value }) => [type, Number(value)]));
    const part = (type: Intl.DateTimeFormatPartTypes): number => parts.get(type) ?? NaN;
    const date = [part('year'), part('month') - 1, part('day')] as const;
    return Date.UTC(...date, part('hour'), part('minute'), part('second'));
  };
}

/** The windows of dates: the number of the one that a clock's time belongs to. */
const DATE_WINDOWS = new Map<number, (clock: number) => number>([
  [WINDOW.day, (clock) => Math.floor(clock / DAY)],
  // 1970-01-01 was a Thursday.
  [WINDOW.week, (clock) => Math.floor((clock / DAY + 3) / 7)],
  [WINDOW.month, (clock) => new Date(clock).getUTCFullYear() * 12 + new Date(clock).getUTCMonth()],
]);
const WINDOWS: readonly number[] = [WINDOW.quarterHour, WINDOW.hour, ...DATE_WINDOWS.keys()];

/** Every quarter of an hour of a range, and every minute of those in which the clock is changed. */
function* momentsOf(clock: (millis: number) => number, start: number, end: number): Generator<number> {
  let offset = clock(start) - start;
  for (let at = start; at <= end; at += QUARTER) {
    if (clock(at) - at !== offset) {
      for (let minute = at - QUARTER + MINUTE; minute < at; minute += MINUTE) yield minute;
    }
    offset = clock(at) - at;
    yield at;
  }
}

/** The starts of all windows after `start` and before `end`, in milliseconds, from what the clock of the zone shows. */
function startsByClock(timeZone: string, start: number, end: number): Map<number, number[]> {
  const clock = clockOf(timeZone);
  const starts = new Map(WINDOWS.map((window): [number, number[]] => [window, []]));
  const latest = new Map<number, number>();
  let hourBefore: number | undefined;
  // From a day earlier on: the clock may have been put back to the date before just then.
  for (const at of momentsOf(clock, Math.floor(start / QUARTER) * QUARTER - DAY, end)) {
    const shown = clock(at);
    const hour = Math.floor(shown / HOUR);
    const began = [...DATE_WINDOWS].filter(
      ([window, numberOf]) => numberOf(shown) > (latest.get(window) ?? -Infinity),
    );
    for (const [window, numberOf] of began) latest.set(window, numberOf(shown));
    const begins = began.map(([window]) => window);
    if (at % QUARTER === 0) begins.push(WINDOW.quarterHour);
    if (shown % HOUR === 0 || hour !== hourBefore) begins.push(WINDOW.hour);
    hourBefore = hour;
    if (at > start && at < end) for (const window of begins) starts.get(window)?.push(at);
  }
  return starts;
}

const RUNS = 40;

/** Places and times at which clocks behave in an unusual way. */
const CHANGES: readonly [timeZone: string, around: string, what: string][] = [
  ['UTC', '2026-03-01T00:00:00Z', 'never changed'],
  ['Europe/Berlin', '2026-03-29T01:00:00Z', 'a day of 23 hours'],
  ['Europe/Berlin', '2026-10-25T01:00:00Z', 'a day of 25 hours'],
  ['Australia/Lord_Howe', '2026-04-04T15:00:00Z', 'a day of 24.5 hours'],
  ['Australia/Lord_Howe', '2026-10-03T15:30:00Z', 'a day of 23.5 hours'],
  ['America/Sao_Paulo', '2018-11-04T03:00:00Z', 'a day without midnight'],
  ['America/Sao_Paulo', '2018-02-18T02:00:00Z', 'put back at midnight'],
  ['America/St_Johns', '2010-11-07T02:31:00Z', 'put back a minute after midnight'],
  ['America/St_Johns', '2010-03-14T03:31:00Z', 'put forward a minute after midnight'],
  ['Asia/Kolkata', '2026-03-01T18:30:00Z', 'half an hour beside UTC'],
  ['Asia/Kathmandu', '2026-03-01T18:15:00Z', 'a quarter of an hour beside UTC'],
  ['Pacific/Chatham', '2026-04-04T14:00:00Z', 'a quarter of an hour beside UTC, and changed'],
  ['Pacific/Apia', '2011-12-30T10:00:00Z', 'a day left out'],
  ['Antarctica/Troll', '2026-03-29T01:00:00Z', 'put forward by two hours'],
  ['America/Caracas', '2016-05-01T07:00:00Z', 'another offset for good'],
  ['Asia/Pyongyang', '2018-05-04T15:00:00Z', 'put forward by half an hour before midnight'],
  ['Africa/Casablanca', '2026-03-22T02:00:00Z', 'other offsets during Ramadan'],
];

/** The windows of a range begin and end with it, and in between where the clock says. */
function expectWindows(timeZone: string, start: bigint, end: bigint): void {
  const starts = startsByClock(timeZone, Number(start) / 1000, Number(end) / 1000);
  for (const window of WINDOWS) {
    const between = (starts.get(window) ?? []).map((millis) => BigInt(millis) * 1000n);
    expect(windowBounds(window, timeZone, start, end)).toEqual([start, ...between, end]);
  }
}

test.each(CHANGES)('%s around %s: %s', (timeZone, around) => {
  const middle = micros(around);
  expectWindows(timeZone, middle - 3n * DAY_MICROS - 1n, middle + 32n * DAY_MICROS);
  expectWindows(timeZone, middle - 1n, middle + 7_200_000_001n);
  expectWindows(timeZone, middle + 1_200_000_000n, middle + 2n * DAY_MICROS);
});

test('windows are where the clock of the zone says, in every zone and range', () => {
  const zones = fc.oneof(
    fc.constantFrom(...CHANGES.map(([timeZone]) => timeZone)),
    fc.constantFrom(...Intl.supportedValuesOf('timeZone')),
  );
  // Before 1973, offsets had seconds.
  const start = fc.bigInt(micros('1973-01-01'), micros('2037-01-01'));
  const length = fc.oneof(
    fc.bigInt(1n, 7_200_000_000n),
    fc.bigInt(1n, 3n * DAY_MICROS),
    fc.bigInt(1n, 60n * DAY_MICROS),
  );
  fc.assert(
    fc.property(zones, start, length, (timeZone, from, micros) =>
      expectWindows(timeZone, from, from + micros),
    ),
    { numRuns: RUNS },
  );
});

test('the windows of a range are ascending and at most 50,000, whichever the range', () => {
  const moment = fc.bigInt(micros('0001-01-01'), micros('9999-12-31'));
  const zones = fc.constantFrom(...Intl.supportedValuesOf('timeZone'));
  const range = fc.oneof(
    fc.tuple(moment, moment),
    fc.tuple(moment, fc.bigInt(1n, 400n * DAY_MICROS)).map(([from, micros]) => [from, from + micros]),
  ) as fc.Arbitrary<[bigint, bigint]>;
  fc.assert(
    fc.property(fc.constantFrom(...WINDOWS), zones, range, (window, timeZone, [one, other]) => {
      const [start, end] = one < other ? [one, other] : [other, one + 1n];
      const bounds = windowBounds(window, timeZone, start, end);
      if (bounds === undefined) return;
      expect(bounds.at(0)).toBe(start);
      expect(bounds.at(-1)).toBe(end);
      expect(bounds.length).toBeLessThanOrEqual(WINDOWS_MAX + 1);
      expect(bounds.every((bound, index) => index === 0 || bound > (bounds[index - 1] ?? 0n))).toBe(true);
    }),
    { numRuns: RUNS / 2 },
  );
});

test('50,000 windows are allowed, and one more is not', () => {
  const start = micros('2026-01-01');
  const end = start + BigInt(WINDOWS_MAX) * 900_000_000n;
  expect(windowBounds(WINDOW.quarterHour, 'UTC', start, end)).toHaveLength(WINDOWS_MAX + 1);
  expect(windowBounds(WINDOW.quarterHour, 'UTC', start, end + 1n)).toBeUndefined();
  expect(windowBounds(WINDOW.quarterHour, 'UTC', start + 1n, end + 1n)).toBeUndefined();
});

test('without windows, a range is one', () => {
  expect(windowBounds(WINDOW.none, 'Europe/Berlin', 5n, 7n)).toEqual([5n, 7n]);
});

test.each(['UTC', 'Europe/Berlin', 'Asia/Calcutta', 'Etc/GMT+5', 'america/new_york'])(
  '%s is the name of a time zone',
  (name) => expect(isTimeZone(name)).toBe(true),
);

test.each([
  '',
  '+01:00',
  '-05',
  'Mars/Olympus',
  'Europe/Berlin; DROP TABLE charge',
  'Z',
  ' UTC',
  'UTC\0',
  '__proto__',
  'Ｕ',
])('%j is not', (name) => expect(isTimeZone(name)).toBe(false));
