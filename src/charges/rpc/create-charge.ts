/** CreateCharge: one charge, once per request id. */

import { CreateChargeRequest, CreateChargeResponse } from '../../../generated/charge/v1/charge_service.ts';
import { type Reason, ServiceError } from '../../errors/failure.ts';
import { decodeStrictly } from '../../grpc/codec.ts';
import { refusalToActFor } from '../../grpc/own-user-profile.ts';
import type { Principal } from '../../grpc/principal.ts';
import type { RpcMethod } from '../../grpc/service.ts';
import { traceparentOf } from '../../grpc/trace-context.ts';
import { unaryMethod } from '../../grpc/unary.ts';
import type { Check } from '../../grpc/validation.ts';
import type { RecordResult } from '../charge.ts';
import { fromProtoCreateChargeRequest, toProtoCharge } from '../convert.ts';
import type { ChargeRecorder } from '../ports.ts';
import { failureFor } from './own-charges.ts';

/** The largest CreateCharge request, and the largest item of RecordCharges. */
export const CHARGE_REQUEST_BYTES_MAX = 1024 * 1024;

/**
 * The method on a recorder; `check` holds the contract's rules for a charge. `rejected` is told why each charge
 * is that breaks one, or is for another user profile.
 */
export function createCharge(
  recorder: ChargeRecorder,
  check: Check<CreateChargeRequest>,
  rejected: (reason: Reason) => void,
): RpcMethod {
  return unaryMethod({
    requestBytesMax: CHARGE_REQUEST_BYTES_MAX,
    decode: (bytes) => decodeStrictly(CreateChargeRequest, bytes),
    validate: (request) => {
      const violations = check(request);
      if (violations.length > 0) rejected('VALIDATION_FAILED');
      return violations;
    },
    response: CreateChargeResponse,
    handle(request, call) {
      const { tenant, principal } = call;
      const charge = fromProtoCreateChargeRequest(request, traceparentOf(call));
      const refusal = refusalToActFor(principal, charge.content.userProfile);
      if (refusal !== undefined) {
        rejected(refusal.reason);
        throw new ServiceError(refusal);
      }
      return recorder
        .record(tenant, [charge], { signal: call })
        .then((results) => toProtoCreateChargeResponse(principal, results));
    },
  });
}

function toProtoCreateChargeResponse(
  principal: Principal,
  [result]: readonly RecordResult[],
): CreateChargeResponse {
  if (result === undefined) throw new TypeError('the recorder gave no result');
  if (!('charge' in result)) throw new ServiceError(failureFor(principal, result));
  return { charge: toProtoCharge(result.charge), replayed: result.outcome === 'replayed' };
}
