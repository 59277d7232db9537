/** Times of prices and usage, to the microsecond, as the service keeps them. */

import type { Timestamp } from '../../../generated/google/protobuf/timestamp.ts';
import { explainTime, parseTimestamp } from '../import/timestamp.ts';

/** 0001-01-01T00:00:00Z, before all usage: the first price of a key prices history, too. */
export const BEGINNING: Timestamp = { seconds: -62_135_596_800n, nanos: 0 };

/** Microseconds since 1970. */
export function microsOf({ seconds, nanos }: Timestamp): bigint {
  return seconds * 1_000_000n + BigInt(Math.trunc(nanos / 1000));
}

/** The moment of so many microseconds since 1970. */
export function timestampOf(micros: bigint): Timestamp {
  // Rounds down, also before 1970.
  const seconds = micros / 1_000_000n - (micros % 1_000_000n < 0n ? 1n : 0n);
  return { seconds, nanos: Number(micros - seconds * 1_000_000n) * 1000 };
}

/** RFC 3339 in UTC, with as many digits as the time has: `2026-08-21T00:00:00Z`. */
export function timeText(time: Timestamp | undefined): string {
  if (!time) return '';
  const moment = new Date(Number(time.seconds) * 1000).toISOString().slice(0, 19);
  const fraction = time.nanos === 0 ? '' : `.${String(time.nanos).padStart(9, '0').replace(/0+$/, '')}`;
  return `${moment}${fraction}Z`;
}

/** Reads the value of a flag. Undefined without a value, and after a fault. */
export function readTime(flag: string, text: string | undefined, faults: string[]): Timestamp | undefined {
  if (text === undefined) return undefined;
  const time = parseTimestamp(text);
  if (!time) faults.push(`${flag}: ${explainTime(text)}`);
  return time;
}
