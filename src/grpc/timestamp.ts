/** `google.protobuf.Timestamp` and microseconds since the Unix epoch. */

import type { Timestamp } from '../../generated/google/protobuf/timestamp.ts';

const MICROS_PER_SECOND = 1_000_000n;

/** The first second of the year 1 and the last one of 9999: what a well-formed Timestamp spans. */
const TIMESTAMP_SECONDS_MIN = -62_135_596_800n;
export const TIMESTAMP_SECONDS_MAX = 253_402_300_799n;

/** Whether a Timestamp is well-formed: within the years 1 to 9999, nanos from 0 to 999,999,999. */
export function isWellFormedTimestamp({ seconds, nanos }: Timestamp): boolean {
  return (
    nanos >= 0 && nanos <= 999_999_999 && seconds >= TIMESTAMP_SECONDS_MIN && seconds <= TIMESTAMP_SECONDS_MAX
  );
}

/** Microseconds of a well-formed Timestamp; finer digits are cut off. */
export function fromProtoTimestamp({ seconds, nanos }: Timestamp): bigint {
  return seconds * MICROS_PER_SECOND + BigInt(Math.trunc(nanos / 1000));
}

/** The Timestamp of microseconds; also before 1970, where nanos still count forward. */
export function toProtoTimestamp(micros: bigint): Timestamp {
  const seconds = micros / MICROS_PER_SECOND;
  const rest = Number(micros % MICROS_PER_SECOND);
  return rest < 0
    ? { seconds: seconds - 1n, nanos: (rest + 1_000_000) * 1000 }
    : { seconds, nanos: rest * 1000 };
}

/** Microseconds of a moment from the year 1 to 9999 in RFC 3339, for texts and metadata. */
export function rfc3339(micros: bigint): string {
  const rest = ((micros % 1000n) + 1000n) % 1000n;
  const milliseconds = new Date(Number((micros - rest) / 1000n)).toISOString();
  return rest === 0n ? milliseconds : milliseconds.replace('Z', `${String(rest).padStart(3, '0')}Z`);
}
