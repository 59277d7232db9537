/** The windows of time that usage is summed over. */

import type { Temporal } from 'temporal-polyfill';
import type { Timestamp } from '../../../generated/google/protobuf/timestamp.ts';
import { UsageWindow } from '../../../generated/charge/v1/usage_service.ts';
import { quote } from '../import/values.ts';
import { clockText, zoned } from './zone.ts';

const WINDOWS = {
  '15m': UsageWindow.USAGE_WINDOW_QUARTER_HOUR,
  hour: UsageWindow.USAGE_WINDOW_HOUR,
  day: UsageWindow.USAGE_WINDOW_DAY,
  week: UsageWindow.USAGE_WINDOW_WEEK,
  month: UsageWindow.USAGE_WINDOW_MONTH,
} as const;

/** A window as on the command line. */
export type WindowName = keyof typeof WINDOWS;

/** Every name, for messages and help. */
export const WINDOW_NAMES = Object.keys(WINDOWS).join(', ');

/** Reads the name of a window; undefined without one, and after a fault. */
export function readWindow(text: string | undefined, faults: string[]): WindowName | undefined {
  if (text === undefined || Object.hasOwn(WINDOWS, text)) return text as WindowName | undefined;
  faults.push(`--window: ${quote(text)} is none of ${WINDOW_NAMES}`);
  return undefined;
}

/** For the service. Without a name the whole range is one window. */
export function windowOf(name: WindowName | undefined): UsageWindow {
  return name === undefined ? UsageWindow.USAGE_WINDOW_UNSPECIFIED : WINDOWS[name];
}

/** The start of the window that the moment lies in. */
export function windowStart(moment: Temporal.ZonedDateTime, name: WindowName): Temporal.ZonedDateTime {
  if (name === 'hour') return moment.round({ smallestUnit: 'hour', roundingMode: 'floor' });
  // Every offset of today's zones is a multiple of 15 minutes.
  if (name === '15m')
    return moment.round({ smallestUnit: 'minute', roundingIncrement: 15, roundingMode: 'floor' });
  return firstDate(moment, name).toZonedDateTime(moment.timeZoneId);
}

/** The end of the window that the moment lies in. */
export function windowEnd(moment: Temporal.ZonedDateTime, name: WindowName): Temporal.ZonedDateTime {
  if (name === 'hour') return windowStart(moment, name).add({ hours: 1 });
  if (name === '15m') return windowStart(moment, name).add({ minutes: 15 });
  // By the calendar: the first hour of a day may be 01:00.
  const next = firstDate(moment, name).add({ [`${name}s`]: 1 });
  return next.toZonedDateTime(moment.timeZoneId);
}

function firstDate(moment: Temporal.ZonedDateTime, name: 'day' | 'week' | 'month'): Temporal.PlainDate {
  const date = moment.toPlainDate();
  if (name === 'day') return date;
  return name === 'week' ? date.subtract({ days: date.dayOfWeek - 1 }) : date.with({ day: 1 });
}

/** The start of a window for people. `withOffset`: the clocks change within the range, and an hour may occur twice. */
export function windowText(
  start: Timestamp,
  name: WindowName | undefined,
  zone: string,
  withOffset: boolean,
): string {
  const text = clockText(start, zone);
  if (name === undefined || name === '15m' || name === 'hour')
    return withOffset ? `${text} ${zoned(start, zone).offset}` : text;
  // A range may begin within a window.
  if (!text.endsWith(' 00:00')) return text;
  return name === 'month' && text.endsWith('-01 00:00') ? text.slice(0, 7) : text.slice(0, 10);
}
