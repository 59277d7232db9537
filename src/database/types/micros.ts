/** PostgreSQL's timestamptz, and the microseconds since the Unix epoch that the program counts in. */

import { p, Type } from '@mikro-orm/core';

const MILLIS_AND_ZONE = '.000Z'.length;
const TIMESTAMPTZ =
  /^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?([+-])(\d\d)(?::(\d\d))?(?::(\d\d))?$/;

/**
 * Reads a timestamptz of the years 1 to 9999 as PostgreSQL prints it (DateStyle ISO, any time zone) without
 * losing its microseconds. Throws a RangeError for anything else, such as `infinity`.
 */
export function microsFromTimestamptz(text: string): bigint {
  const match = TIMESTAMPTZ.exec(text);
  if (!match) throw new RangeError(`not a timestamptz: ${text}`);
  const [, date, time, fraction = '', sign, hours, minutes = 0, seconds = 0] = match;
  const offset = Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds);
  const utcSeconds = Date.parse(`${date}T${time}Z`) / 1000 + (sign === '-' ? offset : -offset);
  return BigInt(utcSeconds) * 1_000_000n + BigInt(fraction.padEnd(6, '0'));
}

/** Writes microseconds, from year 1 to far beyond 9999, as a timestamptz literal in UTC. */
export function timestamptzFromMicros(micros: bigint): string {
  const fraction = ((micros % 1_000_000n) + 1_000_000n) % 1_000_000n;
  const seconds = (micros - fraction) / 1_000_000n;
  // Years beyond 9999 come as +012345, which PostgreSQL does not read. The id of a forged page token has them.
  const date = new Date(Number(seconds) * 1000).toISOString().replace(/^\+0?/, '').slice(0, -MILLIS_AND_ZONE);
  return `${date}.${fraction.toString().padStart(6, '0')}+00`;
}

/** MikroORM type of a timestamptz column: microseconds since the Unix epoch in the program. */
class MicrosType extends Type<bigint, string> {
  override convertToDatabaseValue(value: bigint | string): string {
    return typeof value === 'bigint' ? timestamptzFromMicros(value) : value;
  }

  override convertToJSValue(value: string | bigint): bigint {
    return typeof value === 'bigint' ? value : microsFromTimestamptz(value);
  }

  override getColumnType(): string {
    return 'timestamptz(6)';
  }

  override compareAsType(): string {
    return 'bigint';
  }
}

/** A property of this type. */
export const micros = () => p.type(MicrosType).$type<bigint>();
