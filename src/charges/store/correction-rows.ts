/** Rows of the table of corrections, from requests. */

import type { ServiceError } from '../../errors/failure.ts';
import { type AmendRequest, CHARGE_STATE, type VoidRequest } from '../charge.ts';
import type { ChargeEvent } from '../charge-event.ts';
import { timeOfChargeId } from '../charge-id.ts';
import type { CorrectionRow } from '../correction-entities.ts';
import type { ChargeRow } from '../entity.ts';

/** What a transaction did. */
export interface Outcome<Result> {
  /** One per request, in order; an error: why it was refused. */
  readonly results: readonly (Result | ServiceError)[];
  /** What was added to the tenant's journal, in order. */
  readonly events: readonly ChargeEvent[];
}

/** What is decided about a charge that may be corrected. */
interface Correctable {
  readonly charge: ChargeRow;
  readonly closedPeriod: boolean;
}

/** The correction of a charge without its number, which it gets when it is written. */
export function newCorrection(
  id: string,
  { kind, requestId, reason, traceparent = '' }: VoidRequest | AmendRequest,
  { charge, closedPeriod }: Correctable,
  replacementId = '',
): CorrectionRow {
  return {
    tenant: charge.tenant,
    chargeId: charge.id,
    id,
    sequence: 0n,
    createTimeMicros: timeOfChargeId(id),
    state: kind === 'void' ? CHARGE_STATE.voided : CHARGE_STATE.amended,
    replacementId,
    closedPeriod,
    reason,
    // An amendment is found by the request id of its replacement.
    requestId: kind === 'void' ? requestId : '',
    traceparent,
  };
}
