/** The range of time that the flags name. */

import { Temporal } from 'temporal-polyfill';
import type { Timestamp } from '../../../generated/google/protobuf/timestamp.ts';
import { quote } from '../import/values.ts';
import { microsOf } from '../time.ts';
import { windowEnd, windowStart, type WindowName } from './windows.ts';
import { readZonedTime, timestampOfZoned } from './zone.ts';

/** A range of usage times; a bound that is undefined is open. */
export interface Range {
  readonly from: Timestamp | undefined;
  /** Not part of it. */
  readonly to: Timestamp | undefined;
}

/** The flags as they were typed. */
export interface RangeFlags {
  readonly last?: string;
  readonly from?: string;
  readonly to?: string;
}

const DEFAULT_LAST = '30d';
const SPANS = { h: 'hours', d: 'days', w: 'weeks', mo: 'months' } as const;
const SPAN = /^([1-9]\d{0,4})(h|d|w|mo)$/;

/**
 * Reads `--last`, or `--from` and `--to`. Without any of them, it is the last 30 days. The last days end with the
 * current window and begin with a window: they are whole windows, and those of today, of the hour, are among them.
 */
export function readUsageRange(
  flags: RangeFlags,
  window: WindowName | undefined,
  zone: string,
  faults: string[],
  now: Temporal.ZonedDateTime = Temporal.Now.zonedDateTimeISO(zone),
): Range {
  const { last, from: fromText, to: toText } = flags;
  if (last !== undefined || (fromText === undefined && toText === undefined)) {
    if (fromText !== undefined || toText !== undefined)
      faults.push('--last ends now: use --from and --to for another range');
    return lastOf(last ?? DEFAULT_LAST, window, now, faults);
  }
  const from = readZonedTime('--from', fromText, zone, faults);
  let to = readZonedTime('--to', toText, zone, faults);
  if (from && to && microsOf(from) >= microsOf(to)) faults.push('--from must be before --to');
  if (window === undefined) return { from, to };
  if (fromText === undefined) faults.push('--window needs a beginning: give --from or --last');
  if (toText === undefined) {
    to = timestampOfZoned(windowEnd(now, window));
    if (from && microsOf(from) >= microsOf(to)) faults.push('--from is in the future: give --to');
  }
  return { from, to };
}

function lastOf(
  text: string,
  window: WindowName | undefined,
  now: Temporal.ZonedDateTime,
  faults: string[],
): Range {
  const [, count = '', unit = ''] = SPAN.exec(text) ?? [];
  if (count === '') {
    faults.push(`--last: ${quote(text)} is not a time such as 12h, 30d, 8w or 3mo`);
    return { from: undefined, to: undefined };
  }
  const whole = window ?? (unit === 'h' ? 'hour' : 'day');
  const end = windowEnd(now, whole);
  const start = end.subtract({ [SPANS[unit as keyof typeof SPANS]]: Number(count) });
  return { from: timestampOfZoned(windowStart(start, whole)), to: timestampOfZoned(end) };
}
