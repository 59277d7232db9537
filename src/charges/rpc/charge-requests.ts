/** Requests to record charges, and what became of them. */

import {
  type ChargeResult,
  type CreateChargeRequest,
  Outcome,
} from '../../../generated/charge/v1/charge_service.ts';
import { fromProtoCharge, toProtoCharge } from '../convert.ts';
import type { ChargeRequest, RecordResult } from '../charge.ts';
import type { Failure } from '../../errors/service-error.ts';
import { toProtoStatus } from '../../grpc/status.ts';

/** A request that satisfies the contract's rules, with the trace that it belongs to. */
export function fromProtoCreateChargeRequest(
  { charge, requestId }: CreateChargeRequest,
  traceparent: string | undefined,
): ChargeRequest {
  if (charge === undefined) throw new TypeError('a request without a charge passed validation');
  return { requestId, content: fromProtoCharge(charge), traceparent };
}

/** What became of an item that the domain took. */
export function toProtoChargeResult(result: RecordResult): ChargeResult {
  if (result.outcome === 'conflict') return toProtoRejection(conflictOf(result));
  return {
    outcome: result.outcome === 'created' ? Outcome.OUTCOME_CREATED : Outcome.OUTCOME_REPLAYED,
    charge: toProtoCharge(result.charge),
    status: undefined,
  };
}

/** An item of which nothing was stored. */
export function toProtoRejection(failure: Failure): ChargeResult {
  return {
    outcome: Outcome.OUTCOME_REJECTED,
    charge: undefined,
    status: toProtoStatus(failure),
  };
}

/** A conflict as the failure that a call of its own ends with. */
export function conflictOf(result: Extract<RecordResult, { outcome: 'conflict' }>): Failure {
  const { requestId, field, chargeId } = result;
  return { kind: 'request_id_reused', requestId, field, chargeId };
}
