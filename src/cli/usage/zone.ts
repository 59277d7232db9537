/** Moments as the clocks of a time zone show them. */

import { Temporal } from 'temporal-polyfill';
import type { Timestamp } from '../../../generated/google/protobuf/timestamp.ts';
import { explainTime, parseTimestamp } from '../import/timestamp.ts';
import { quote } from '../import/values.ts';

/** The machine's zone, by its IANA name. */
export function machineZone(): string {
  return Temporal.Now.timeZoneId();
}

/** Reads the IANA name of a zone. */
export function readZone(text: string | undefined, faults: string[]): string {
  const name = text ?? machineZone();
  try {
    // Offsets are no zones: their clocks never change.
    if (/^[a-z]/i.test(name)) return Temporal.Now.zonedDateTimeISO(name).timeZoneId;
  } catch {
    // The fault below.
  }
  faults.push(`--zone: ${quote(name)} is not the IANA name of a time zone, such as Europe/Berlin or UTC`);
  return 'UTC';
}

/**
 * Reads a time as every command does, but one without an offset, such as a date alone, is of the zone. Undefined
 * without a value, and after a fault.
 */
export function readZonedTime(
  flag: string,
  text: string | undefined,
  zone: string,
  faults: string[],
): Timestamp | undefined {
  if (text === undefined) return undefined;
  const time = parseTimestamp(text);
  if (!time) faults.push(`${flag}: ${explainTime(text)}`);
  // A text to which an offset can be added has none.
  const isLocal = ['Z', ' 00:00Z', 'T000000Z'].some((offset) => parseTimestamp(text + offset));
  if (!time || !isLocal) return time;
  const wall = zoned(time, 'UTC').toPlainDateTime();
  return timestampOfZoned(wall.toZonedDateTime(zone));
}

/** The moment in a zone. */
export function zoned({ seconds, nanos }: Timestamp, zone: string): Temporal.ZonedDateTime {
  return new Temporal.ZonedDateTime(seconds * 1_000_000_000n + BigInt(nanos), zone);
}

export function timestampOfZoned(moment: Temporal.ZonedDateTime): Timestamp {
  const nanos = moment.epochNanoseconds;
  // Rounds down, also before 1970.
  const fraction = ((nanos % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
  return { seconds: (nanos - fraction) / 1_000_000_000n, nanos: Number(fraction) };
}

/** RFC 3339 with the offset of the zone at that moment: `2026-10-01T00:00:00+02:00`. */
export function zonedText(time: Timestamp, zone: string): string {
  return zoned(time, zone).toString({ timeZoneName: 'never', calendarName: 'never' });
}

/** For people: `2026-10-01 00:00`, with seconds only if there are some. */
export function clockText(time: Timestamp, zone: string): string {
  const moment = zoned(time, zone).toPlainDateTime();
  const isWhole = moment.second === 0 && moment.millisecond === 0 && moment.microsecond === 0;
  return moment.toString(isWhole ? { smallestUnit: 'minute' } : {}).replace('T', ' ');
}
