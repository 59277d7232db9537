/** Moments as text. */

import type { Timestamp } from '../../../generated/google/protobuf/timestamp.ts';

/** RFC 3339 in UTC, with all digits of the fraction that are not 0. Empty: there is no moment. */
export function momentText(time: Timestamp | undefined): string {
  if (!time) return '';
  const fraction = String(time.nanos).padStart(9, '0').replace(/0+$/, '');
  const whole = new Date(Number(time.seconds) * 1000).toISOString();
  return whole.replace('.000Z', `${fraction && `.${fraction}`}Z`);
}
