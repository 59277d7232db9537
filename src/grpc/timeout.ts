/** `grpc-timeout`: how long a caller waits. */

const UNIT_MS: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1000,
  m: 1,
  u: 0.001,
  n: 0.000001,
};
const TIMEOUT = /^(\d{1,8})([HMSmun])$/;

/** The longest timeout that grpc-js keeps: it counts milliseconds in 32 bits. */
const TIMEOUT_MAX_MS = 2 ** 31 - 1;
const TIMEOUT_MAX = '596H';

/**
 * The milliseconds of a header, Infinity where there is none; undefined where grpc-js has to make
 * sense of it: what is no timeout by the letter, and what has to be capped.
 */
export function plainTimeoutMs(header: string | string[] | undefined): number | undefined {
  if (header === undefined) return Infinity;
  const ms = typeof header === 'string' ? millisecondsOf(header) : undefined;
  return ms !== undefined && ms <= TIMEOUT_MAX_MS ? Math.trunc(ms) : undefined;
}

/** A `grpc-timeout` as grpc-js can keep it: from 597 hours on, its counter wraps and the call ends at once. */
export function cappedTimeout(value: string): string {
  const ms = millisecondsOf(value);
  return ms !== undefined && ms > TIMEOUT_MAX_MS ? TIMEOUT_MAX : value;
}

function millisecondsOf(value: string): number | undefined {
  const [, digits, unit = ''] = TIMEOUT.exec(value) ?? [];
  return digits === undefined ? undefined : Number(digits) * (UNIT_MS[unit] ?? 0);
}
