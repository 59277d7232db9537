/** The failures that only usage has. `charge.v1.ErrorReason` documents each reason and its metadata. */

import { type Failure, validationFailed } from '../errors/failure.ts';
import { rfc3339 } from '../grpc/timestamp.ts';
import type { ScanCause } from './plan.ts';
import { WINDOWS_MAX } from './windows.ts';

const SCAN_ADVICE: Readonly<Record<ScanCause, string>> = {
  charges:
    'Only charges have sessions, references, imports and labels. Ask for a shorter time range, or for one user profile, session, reference or import.',
  'user profiles':
    'Sums of user profiles are kept by days of UTC. Ask for windows of days or longer, for a shorter time range, for one user profile, or without user profiles.',
  'no sums':
    'It is not known which events the kept sums have: charge reconcile --check sums --repair mends that. Until then, ask for a shorter time range, or for one user profile.',
  times:
    'Sums are kept by days of UTC, and without user profiles by quarters of an hour. Ask for a range and windows of whole days in the time zone UTC, for a shorter range, or for one user profile.',
};

/** The answer would have to read more charges than a query may. */
export function scanLimitExceeded(limit: number, cause: ScanCause): Failure {
  return {
    code: 'FAILED_PRECONDITION',
    reason: 'SCAN_LIMIT_EXCEEDED',
    message: `This question would read more than ${limit.toLocaleString('en')} charges. ${SCAN_ADVICE[cause]}`,
    metadata: { limit: String(limit) },
  };
}

/** To fill all windows of all groups would make too many rows. */
export function fillLimitExceeded(limit: number): Failure {
  return {
    code: 'FAILED_PRECONDITION',
    reason: 'SCAN_LIMIT_EXCEEDED',
    message: `With fill, the answer would have more than ${limit.toLocaleString('en')} rows. Ask for longer windows, a shorter time range or fewer groups, or without fill.`,
    metadata: { limit: String(limit) },
  };
}

/** A sum is larger than a signed 64-bit integer holds. `field` is its name, `currencyCode` that of an amount. */
export function sumOutOfRange(field: string, currencyCode = ''): Failure {
  const name = currencyCode === '' ? field : `${field} in ${currencyCode}`;
  return {
    code: 'OUT_OF_RANGE',
    reason: 'AMOUNT_OUT_OF_RANGE',
    message: `The sum of ${name} is larger than a signed 64-bit integer holds. Ask for a shorter time range, or for more groups.`,
    metadata: { field, ...(currencyCode !== '' && { currency_code: currencyCode }) },
  };
}

/** A question as of a number that the journal has not reached. */
export function asOfOutOfRange(asOfSequence: bigint, lastSequence: bigint): Failure {
  return {
    code: 'OUT_OF_RANGE',
    reason: 'SEQUENCE_OUT_OF_RANGE',
    message: `The journal ends at ${lastSequence}, so there is no answer as of ${asOfSequence} yet. Check the address, or whether the database was restored from a backup.`,
    metadata: { as_of_sequence: String(asOfSequence), last_sequence: String(lastSequence) },
  };
}

/** The answer as of a number would need events of charges that are archived. */
export function asOfArchived(asOfSequence: bigint, archived: bigint): Failure {
  return {
    code: 'OUT_OF_RANGE',
    reason: 'SEQUENCE_ARCHIVED',
    message: `Charges with events up to ${archived} are archived, so totals as of ${asOfSequence} can no longer be computed. Ask as of ${archived} or later, which counts what was recorded and changed since ${asOfSequence}; or take the totals from what was exported or invoiced then.`,
    metadata: { as_of_sequence: String(asOfSequence), first_sequence: String(archived) },
  };
}

/** No kept sum covers the question, and charges of its time may be archived. */
export function usageArchived(endTimeMicros: bigint): Failure {
  const end = rfc3339(endTimeMicros);
  return {
    code: 'FAILED_PRECONDITION',
    reason: 'CHARGE_ARCHIVED',
    message: `No kept sum covers this question, and charges before ${end} are archived. Ask for usage from then on, or for windows of whole days of UTC without sessions, references, imports and labels.`,
    metadata: { end_time: end },
  };
}

/** There is no time zone of this name. */
export function unknownTimeZone(): Failure {
  return validationFailed([
    {
      field: 'query.time_zone',
      description: 'is not the name of a time zone in the IANA database, such as "Europe/Berlin"',
      rule: 'usage_query.time_zone_known',
    },
  ]);
}

/** The range has too many windows. */
export function tooManyWindows(): Failure {
  return validationFailed([
    {
      field: 'query.window',
      description: `divides the range into more than ${WINDOWS_MAX.toLocaleString('en')} windows; ask for longer ones, or for a shorter range`,
      rule: 'usage_query.windows_max',
    },
  ]);
}
