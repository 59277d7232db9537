/** Reads the times that usage files contain, to the nanosecond and without floats. */

import type { Timestamp } from '../../../generated/google/protobuf/timestamp.ts';

const CALENDAR =
  /^(\d{4})-(\d\d)-(\d\d)(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?(?: ?(?:([Zz]|UTC)|([+-])(\d\d):?(\d\d)))?)?$/;
const UNIX = /^(\d+)(?:\.(\d{1,9}))?$/;
/** Digits of a whole Unix time → how many of them are a fraction of a second. */
const UNIX_FRACTION_DIGITS = new Map([
  [9, 0],
  [10, 0],
  [12, 3],
  [13, 3],
  [15, 6],
  [16, 6],
  [18, 9],
  [19, 9],
]);

/**
 * Reads RFC 3339, `YYYY-MM-DD HH:MM[:SS[.fraction]]` and `YYYY-MM-DD` (UTC unless an offset
 * follows; a date alone is its midnight), and Unix times in seconds, milli-, micro- or
 * nanoseconds, told apart by their number of digits (9–10, 12–13, 15–16, 18–19). Up to 9 digits of
 * fraction are kept. Undefined: none of these, or no such day or hour.
 */
export function parseTimestamp(text: string): Timestamp | undefined {
  const calendar = CALENDAR.exec(text);
  if (calendar) return fromCalendar(calendar);
  const unix = UNIX.exec(text);
  return unix ? fromUnix(unix[1] ?? '', unix[2]) : undefined;
}

function fromCalendar(match: RegExpExecArray): Timestamp | undefined {
  const [, years, months, days, hours, minutes, seconds, fraction = '', , sign, offsetHours, offsetMinutes] =
    match;
  const [year, month, day] = [Number(years), Number(months), Number(days)];
  const [hour, minute, second] = [Number(hours ?? 0), Number(minutes ?? 0), Number(seconds ?? 0)];
  const [aheadHours, aheadMinutes] = [Number(offsetHours ?? 0), Number(offsetMinutes ?? 0)];
  if (year < 1 || hour > 23 || minute > 59 || second > 59 || aheadHours > 23 || aheadMinutes > 59)
    return undefined;
  const date = new Date(0);
  // Date.UTC() would read the years 1–99 as 1901–1999.
  date.setUTCFullYear(year, month - 1, day);
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return undefined;
  date.setUTCHours(hour, minute, second);
  const aheadSeconds = (aheadHours * 3600 + aheadMinutes * 60) * (sign === '-' ? -1 : 1);
  return { seconds: BigInt(date.getTime() / 1000 - aheadSeconds), nanos: nanosOf(fraction) };
}

function fromUnix(whole: string, fraction: string | undefined): Timestamp | undefined {
  const shift = UNIX_FRACTION_DIGITS.get(whole.length);
  if (shift === undefined) return undefined;
  const split = whole.length - shift;
  const digits = whole.slice(split) + (fraction ?? '');
  if (digits.length > 9) return undefined;
  return { seconds: BigInt(whole.slice(0, split)), nanos: nanosOf(digits) };
}

function nanosOf(fraction: string): number {
  return Number(fraction.padEnd(9, '0'));
}
