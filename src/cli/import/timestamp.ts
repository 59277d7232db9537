/** Reads the times that usage files contain, to the nanosecond and without floating-point numbers. */

import type { Timestamp } from '../../../generated/google/protobuf/timestamp.ts';
import { quote } from './values.ts';

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const WEEKDAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];
const WEEKDAY = '(?:(?<weekday>sun|mon|tue|wed|thu|fri|sat)[a-z]*,? +)?';
const MONTH =
  '(?<monthName>jan|feb|mar|apr|may|june?|july?|aug|sept?|oct|nov|dec|january|february|march|april|august|september|october|november|december)';
const CLOCK = '(?<time>\\d\\d?:\\d\\d)(?<second>:\\d\\d)?(?:[.,](?<fraction>\\d{1,9}))?(?: ?(?<half>[ap]m))?';
const ZONE =
  '(?: ?(?:z|utc|gmt)?(?: ?(?<sign>[+-])(?<hours>[01]\\d|2[0-3])(?::?(?<minutes>[0-5]\\d))?)?(?: utc)?(?: ?\\[[\\w/+-]+\\]| \\([\\w ]+\\))?)';

/** All the ways to write a day and perhaps a time of it. A zone needs a time. */
const CALENDAR = [
  // RFC 3339 and PostgreSQL, year first: no other order begins with a year.
  `(?<year>\\d{4})(?<mark>[-/.])(?<month>\\d\\d)\\k<mark>(?<day>\\d\\d)(?:(?:t|,? +)${CLOCK}${ZONE})?`,
  // ISO 8601 without marks.
  `(?<year>20\\d\\d)(?<month>\\d\\d)(?<day>\\d\\d)(?:[t ](?<basic>\\d{6})(?:[.,](?<fraction>\\d{1,9}))?${ZONE})?`,
  // RFC 2822, HTTP, web server logs: the month by its name.
  `${WEEKDAY}(?<day>\\d\\d?)[- /]${MONTH}[- /](?<year>\\d{4})(?:(?:,? +|:)${CLOCK}${ZONE})?`,
  `${WEEKDAY}${MONTH}\\.? +(?<day>\\d\\d?),? +(?<year>\\d{4})(?:,? +(?:at +)?${CLOCK}${ZONE})?`,
  // ctime() and date(1).
  `${WEEKDAY}${MONTH} +(?<day>\\d\\d?) ${CLOCK}(?: (?:utc|gmt))? (?<year>\\d{4})`,
].map((form) => new RegExp(`^${form}$`, 'i'));

const UNIX = /^(\d+)(?:\.(\d{1,9}))?$/;
const UNIX_EXPONENT = /^(\d)\.(\d+)e\+?(\d\d?)$/i;
/** No time is longer. */
const LENGTH_MAX = 80;

/**
 * Reads RFC 3339 and every other way to write a time that can mean only one moment: year, month and day in
 * this order (UTC unless an offset follows; a date alone is its midnight), the month by its English name
 * (`Tue, 01 Sep 2026 10:00:00 GMT`, `Sep 1, 2026, 10:00:00 AM`), and Unix times in seconds, milliseconds,
 * microseconds or nanoseconds, which differ in their number of digits (9–10, 12–13, 15–16, 18–19). Up to 9
 * digits of fraction are kept. Undefined: the text is none of these, or there is no such day or hour.
 */
export function parseTimestamp(text: string): Timestamp | undefined {
  if (text.length > LENGTH_MAX) return undefined;
  // Programs that write times for people put blanks that do not break before AM and PM.
  const plain = text.replace(/[\u00a0\u202f]/g, ' ');
  for (const form of CALENDAR) {
    const match = form.exec(plain);
    if (match?.groups) return fromCalendar(match.groups);
  }
  const unix = UNIX.exec(withoutExponent(text));
  return unix ? fromUnix(unix[1] ?? '', unix[2]) : undefined;
}

/** Why {@link parseTimestamp} does not read a text, as the end of a sentence. */
export function explainTime(text: string): string {
  const name = quote(text);
  const [, first = '', second = '', year = ''] = /^(\d\d?)[-/.](\d\d?)[-/.](\d{4}|\d\d)\b/.exec(text) ?? [];
  if (year.length === 4 && Number(first) <= 12 && Number(second) <= 12) {
    const [a, b] = [first.padStart(2, '0'), second.padStart(2, '0')];
    return `${name} could be ${year}-${a}-${b} or ${year}-${b}-${a}: write the one that is meant`;
  }
  if (year !== '')
    return `${name} is a date whose order of day, month and year is not clear: write YYYY-MM-DD`;
  if (/^\d{5}(?:[.,]\d+)?$/.test(text))
    return `${name} is the day number of a spreadsheet: format the column as YYYY-MM-DD HH:MM:SS`;
  if (/\d:\d\d(?::\d\d(?:\.\d+)?)? ?[A-Z]{2,5}$/i.test(text))
    return `${name} has a time zone by its name, which can mean several: write its offset, such as +02:00`;
  if (/^\d(?:[.,]\d+)?e\+?\d+$/i.test(text)) return `${name} may be rounded: write all its digits`;
  return `${name} is not a time such as 2026-09-01T10:00:00Z`;
}

function fromCalendar(groups: Readonly<Record<string, string | undefined>>): Timestamp | undefined {
  const { year = '', monthName = '', day = '', weekday, fraction = '', sign } = groups;
  const month = groups['month'] ?? String(MONTHS.indexOf(monthName.slice(0, 3).toLowerCase()) + 1);
  const clock = clockOf(groups);
  if (clock === undefined) return undefined;
  const local = `${year}-${month.padStart(2, '0')}-${day.padStart(2, '0')}T${clock}`;
  const milliseconds = Date.parse(`${local}Z`);
  // Date.parse() turns a 29 February that does not exist into 1 March, and 24:00 into the next day.
  const exists = !Number.isNaN(milliseconds) && new Date(milliseconds).toISOString().startsWith(local);
  if (!exists || year === '0000') return undefined;
  if (weekday !== undefined && new Date(milliseconds).getUTCDay() !== WEEKDAYS.indexOf(weekday.toLowerCase()))
    return undefined;
  const offset = Number(groups['hours'] ?? 0) * 3600 + Number(groups['minutes'] ?? 0) * 60;
  const seconds = BigInt(milliseconds / 1000 - offset * (sign === '-' ? -1 : 1));
  return { seconds, nanos: nanosOf(fraction) };
}

/** The time of day as HH:MM:SS. Undefined: there is no such time with AM or PM. */
function clockOf(groups: Readonly<Record<string, string | undefined>>): string | undefined {
  const { basic, time = '00:00', second = ':00', half } = groups;
  if (basic !== undefined) return basic.replace(/(\d\d)(\d\d)(\d\d)/, '$1:$2:$3');
  const [hour = '', minute = ''] = time.split(':');
  if (half === undefined) return `${hour.padStart(2, '0')}:${minute}${second}`;
  if (Number(hour) < 1 || Number(hour) > 12) return undefined;
  const hours = (Number(hour) % 12) + (half.toLowerCase() === 'pm' ? 12 : 0);
  return `${String(hours).padStart(2, '0')}:${minute}${second}`;
}

/** `1.788256800123E12` in plain digits, if it has all of them. One with fewer digits may be rounded. */
function withoutExponent(text: string): string {
  const [, first = '', fraction = '', exponent = ''] = UNIX_EXPONENT.exec(text) ?? [];
  const digits = Number(exponent);
  if (digits === 0 || fraction.length < digits) return text;
  const rest = fraction.slice(digits);
  return `${first}${fraction.slice(0, digits)}${rest === '' ? '' : `.${rest}`}`;
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
