/** Reads the times that usage files contain, to the nanosecond and without floating-point numbers. */

import type { Timestamp } from '../../../generated/google/protobuf/timestamp.ts';

const CALENDAR =
  /^(\d{4}-\d\d-\d\d)(?:[Tt ](\d\d:\d\d)(?:(:\d\d)(?:[.,](\d{1,9}))?)?(?: ?(?:[Zz]|UTC|([+-])([01]\d|2[0-3]):?([0-5]\d)))?)?$/;
const UNIX = /^(\d+)(?:\.(\d{1,9}))?$/;
/**
 * Reads RFC 3339, `YYYY-MM-DD HH:MM[:SS[.fraction]]` and `YYYY-MM-DD` (UTC unless an offset follows; a
 * date alone is its midnight), and Unix times in seconds, milliseconds, microseconds or nanoseconds,
 * which differ in their number of digits (9–10, 12–13, 15–16, 18–19). Up to 9 digits of fraction are
 * kept. Undefined: the text is none of these, or there is no such day or hour.
 */
export function parseTimestamp(text: string): Timestamp | undefined {
  const calendar = CALENDAR.exec(text);
  if (calendar) return fromCalendar(calendar);
  const unix = UNIX.exec(text);
  return unix ? fromUnix(unix[1] ?? '', unix[2]) : undefined;
}

function fromCalendar(match: RegExpExecArray): Timestamp | undefined {
  const [, date = '', time = '00:00', second = ':00', fraction = '', sign, hours = 0, minutes = 0] = match;
  const local = `${date}T${time}${second}`;
  const milliseconds = Date.parse(`${local}Z`);
  // Date.parse() turns a 29 February that does not exist into 1 March, and 24:00 into the next day.
  const exists = !Number.isNaN(milliseconds) && new Date(milliseconds).toISOString().startsWith(local);
  if (!exists || date.startsWith('0000')) return undefined;
  const offsetSeconds = (Number(hours) * 3600 + Number(minutes) * 60) * (sign === '-' ? -1 : 1);
  return { seconds: BigInt(milliseconds / 1000 - offsetSeconds), nanos: nanosOf(fraction) };
}

function fromUnix(whole: string, fraction = ''): Timestamp | undefined {
  // 9 or 10 digits are seconds. Milliseconds have 3 digits more, and so on.
  if (whole.length < 9 || whole.length > 19 || whole.length % 3 === 2) return undefined;
  const split = whole.length % 3 === 0 ? 9 : 10;
  const digits = whole.slice(split) + fraction;
  if (digits.length > 9) return undefined;
  return { seconds: BigInt(whole.slice(0, split)), nanos: nanosOf(digits) };
}

function nanosOf(fraction: string): number {
  return Number(fraction.padEnd(9, '0'));
}
