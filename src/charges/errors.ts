/** The failures that only charges have. `charge.v1.ErrorReason` documents each reason and its metadata. */

import { excerpt, type Failure, MESSAGE_EXCERPT_UNITS } from '../errors/failure.ts';
import type { RecordResult } from './charge.ts';

/** The request id already made a charge with other content. */
export function requestIdReused({
  requestId,
  field,
  chargeId,
}: Extract<RecordResult, { outcome: 'conflict' }>): Failure {
  return {
    code: 'ALREADY_EXISTS',
    reason: 'REQUEST_ID_REUSED',
    message: `This request id already made charge ${chargeId}, and ${excerpt(field, MESSAGE_EXCERPT_UNITS)} differs. Nothing was stored. Use a new request id for a new charge.`,
    metadata: { request_id: requestId, field: excerpt(field), charge_id: chargeId },
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

/** A watch asks for an entry further than one beyond the end of the journal. */
export function sequenceOutOfRange(startSequence: bigint, lastSequence: bigint): Failure {
  return {
    code: 'OUT_OF_RANGE',
    reason: 'SEQUENCE_OUT_OF_RANGE',
    message: `The journal ends at ${lastSequence}, so a watch can start at ${lastSequence + 1n} at most, not at ${startSequence}. Check the address, or whether the database was restored from a backup.`,
    metadata: { start_sequence: String(startSequence), last_sequence: String(lastSequence) },
  };
}
