/** The failures that only charges have. `charge.v1.ErrorReason` documents each reason and its metadata. */

import { excerpt, type Failure, MESSAGE_EXCERPT_UNITS } from '../errors/failure.ts';
import { rfc3339 } from '../grpc/timestamp.ts';
import { CHARGE_STATE, type ClosedPeriod, type Correction, type RecordResult } from './charge.ts';

/** The request id already made a charge with other content. */
export function requestIdReused({
  requestId,
  field,
  chargeId,
}: Pick<Extract<RecordResult, { outcome: 'conflict' }>, 'requestId' | 'field' | 'chargeId'>): Failure {
  const difference =
    field === undefined
      ? 'which is archived since, with other content'
      : `and ${excerpt(field, MESSAGE_EXCERPT_UNITS)} differs`;
  return {
    code: 'ALREADY_EXISTS',
    reason: 'REQUEST_ID_REUSED',
    message: `This request id already made charge ${chargeId}, ${difference}. Nothing was stored. Use a new request id for a new charge.`,
    metadata: {
      request_id: requestId,
      ...(field !== undefined && { field: excerpt(field) }),
      charge_id: chargeId,
    },
  };
}

/** The same to a credential that must not learn about that charge. */
export function requestIdTaken(requestId: string): Failure {
  return {
    code: 'ALREADY_EXISTS',
    reason: 'REQUEST_ID_REUSED',
    message:
      'This request id already made another charge. Nothing was stored. Use a new request id for a new charge.',
    metadata: { request_id: requestId },
  };
}

/** The request id already voided a charge: another one, or for another reason. */
export function voidRequestIdReused({
  requestId,
  field,
  correctionId,
}: Record<'requestId' | 'field' | 'correctionId', string>): Failure {
  return {
    code: 'ALREADY_EXISTS',
    reason: 'REQUEST_ID_REUSED',
    message: `This request id already made correction ${correctionId}, and ${field} differs. Nothing was stored. Use a new request id for a new correction.`,
    metadata: { request_id: requestId, field, correction_id: correctionId },
  };
}

/** The tenant has no charge with this id or request id. */
export function chargeNotFound(key: { id: string } | { requestId: string }): Failure {
  const byId = 'id' in key;
  return {
    code: 'NOT_FOUND',
    reason: 'CHARGE_NOT_FOUND',
    message: `There is no charge with this ${byId ? 'id' : 'request id'}.`,
    metadata: byId ? { id: key.id } : { request_id: key.requestId },
  };
}

/** The run of a reprice has another filter or reason. */
export function runIdReused(runId: string, field: string): Failure {
  return {
    code: 'ALREADY_EXISTS',
    reason: 'REQUEST_ID_REUSED',
    message: `This run id already names a run, and its ${field} differs. Nothing was stored. Use a new run id for a new run.`,
    metadata: { request_id: runId, field },
  };
}

/** A sum of costs is larger than a signed 64-bit integer holds. */
export function amountOutOfRange(currencyCode: string): Failure {
  return {
    code: 'OUT_OF_RANGE',
    reason: 'AMOUNT_OUT_OF_RANGE',
    message: `The sum of the costs in ${currencyCode} is larger than Money can hold. Nothing was stored. Ask for fewer charges at a time.`,
    metadata: { currency_code: currencyCode },
  };
}

/** A watch asks for an entry further than one beyond the end of the journal. */
export function sequenceOutOfRange(startSequence: bigint, lastSequence: bigint): Failure {
  return {
    code: 'OUT_OF_RANGE',
    reason: 'SEQUENCE_OUT_OF_RANGE',
    message: `The journal ends at ${lastSequence}, so a watch can start at ${lastSequence + 1n} at most, not at ${startSequence}. Check the address, or whether the database was restored from a backup.`,
    metadata: { start_sequence: String(startSequence), last_sequence: String(lastSequence) },
  };
}

/** The charge was voided or amended before, by another request. */
export function chargeAlreadyCorrected({ id, chargeId, state, replacementId }: Correction): Failure {
  const isAmended = state === CHARGE_STATE.amended;
  const [what, remedy] = isAmended
    ? ['amended', `Nothing was stored. Correct the charge that replaced it: ${replacementId}.`]
    : ['voided', 'Nothing was stored. To record the usage again, record a new charge.'];
  return {
    code: 'FAILED_PRECONDITION',
    reason: 'CHARGE_ALREADY_CORRECTED',
    message: `The charge ${chargeId} was ${what} before. ${remedy}`,
    metadata: {
      charge_id: chargeId,
      state: what.toUpperCase(),
      correction_id: id,
      ...(isAmended && { replacement_id: replacementId }),
    },
  };
}

/** The replacement has the content of the original. */
export function amendmentUnchanged(chargeId: string): Failure {
  return {
    code: 'FAILED_PRECONDITION',
    reason: 'AMENDMENT_UNCHANGED',
    message: `The replacement has the content of the charge ${chargeId}. Nothing was stored. Change it, or leave the charge as it is.`,
    metadata: { charge_id: chargeId },
  };
}

/** A correction concerns usage in a closed period, and the request does not say that this is intended. */
export function periodClosed(closed: ClosedPeriod): Failure {
  return periodFailure(
    closed,
    (end) =>
      `Usage before ${end} is closed. Nothing was stored. Set allow_closed_period to correct it all the same.`,
  );
}

/** A reprice would change the cost of a charge whose usage time lies in a closed period. */
export function repricePeriodClosed(closed: ClosedPeriod, chargeId: string): Failure {
  return periodFailure(
    closed,
    (end) =>
      `The cost of charge ${chargeId} would change, and usage before ${end} is closed. Nothing was stored. Start the filter there, or set allow_closed_period to change such costs all the same.`,
  );
}

/** The period ends before one that is closed. */
export function laterPeriodClosed(closed: ClosedPeriod): Failure {
  return periodFailure(
    closed,
    (end) => `Usage before ${end} is closed already. Nothing was stored. Close a later moment.`,
  );
}

function periodFailure({ endTimeMicros, sequence }: ClosedPeriod, message: (end: string) => string): Failure {
  const end = rfc3339(endTimeMicros);
  return {
    code: 'FAILED_PRECONDITION',
    reason: 'PERIOD_CLOSED',
    message: message(end),
    metadata: { end_time: end, sequence: String(sequence) },
  };
}

/** The charge is archived: it cannot be read, or not be corrected. */
export function chargeArchived(chargeId: string, use: 'read' | 'correct'): Failure {
  const isRead = use === 'read';
  return {
    code: isRead ? 'NOT_FOUND' : 'FAILED_PRECONDITION',
    reason: 'CHARGE_ARCHIVED',
    message: isRead
      ? `The charge ${chargeId} is archived: its content is in the files of the archive only.`
      : `The charge ${chargeId} is archived and can no longer be corrected. Nothing was stored.`,
    metadata: { charge_id: chargeId },
  };
}

/** The request made a charge that is archived, so it is answered without the charge. */
export function recordedAndArchived(chargeId: string): Failure {
  return {
    code: 'FAILED_PRECONDITION',
    reason: 'CHARGE_ARCHIVED',
    message: `This charge was recorded before, as ${chargeId}, and archived since. It was not recorded again.`,
    metadata: { charge_id: chargeId },
  };
}

/** A reader asks for events of which some can no longer be read. `archived`: the last of them. */
export function sequenceArchived(startSequence: bigint, archived: bigint): Failure {
  return {
    code: 'OUT_OF_RANGE',
    reason: 'SEQUENCE_ARCHIVED',
    message: `Events up to ${archived} are archived, so they cannot be read from ${startSequence} on. Take them from the files of the archive, and go on at ${archived + 1n}.`,
    metadata: { start_sequence: String(startSequence), first_sequence: String(archived + 1n) },
  };
}

/** Why charges must not be archived. */
export interface ArchiveFault {
  readonly cause:
    | 'PERIOD_NOT_CLOSED'
    | 'NOT_PUBLISHED'
    | 'NOT_SUMMED'
    | 'CHARGE_NOT_FOUND'
    | 'USAGE_TOO_LATE'
    | 'RECORDED_TOO_LATE'
    | 'CHANGED_TOO_LATE';
  /** A sentence without its full stop. */
  readonly text: string;
  readonly metadata: Readonly<Record<string, string>>;
}

/** Some charges must not be archived, so none was. The metadata is about the first fault; the message has all. */
export function chargesNotArchivable(faults: readonly ArchiveFault[]): Failure {
  const [first] = faults;
  return {
    code: 'FAILED_PRECONDITION',
    reason: 'CHARGE_NOT_ARCHIVABLE',
    message: `${faults.map(({ text }) => `${text}.`).join(' ')} Nothing was archived.`,
    metadata: { cause: first?.cause ?? '', ...first?.metadata },
  };
}

/** The tenant refuses charges of user profiles that it does not know. */
export function userProfileUnknown(userProfile: string): Failure {
  return {
    code: 'FAILED_PRECONDITION',
    reason: 'USER_PROFILE_NOT_FOUND',
    message: `There is no user profile ${excerpt(userProfile, MESSAGE_EXCERPT_UNITS)}, and the tenant refuses charges of unknown ones. Nothing was stored. Create the user profile first.`,
    metadata: { user_profile: excerpt(userProfile) },
  };
}

/** The tenant refuses charges of user profiles that are disabled. */
export function userProfileDisabled(userProfile: string): Failure {
  return {
    code: 'FAILED_PRECONDITION',
    reason: 'USER_PROFILE_DISABLED',
    message: `The user profile ${excerpt(userProfile, MESSAGE_EXCERPT_UNITS)} is disabled. Nothing was stored.`,
    metadata: { user_profile: excerpt(userProfile) },
  };
}

/** The request made a charge whose user profile was erased since. */
export function recordedAndErased(chargeId: string): Failure {
  return {
    code: 'FAILED_PRECONDITION',
    reason: 'CHARGE_ERASED',
    message: `This request id made charge ${chargeId}, whose user profile was erased since. It was recorded, and does not count twice. Do not send it again.`,
    metadata: { charge_id: chargeId },
  };
}
