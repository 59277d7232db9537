/** CreateCharge: one charge, once per request id. */

import { CreateChargeRequest, CreateChargeResponse } from '../../../generated/charge/v1/charge_service.ts';
import { ServiceError } from '../../errors/failure.ts';
import { decodeStrictly } from '../../grpc/codec.ts';
import type { RpcMethod } from '../../grpc/service.ts';
import { traceparentOf } from '../../grpc/trace-context.ts';
import { unaryMethod } from '../../grpc/unary.ts';
import type { Check } from '../../grpc/validation.ts';
import type { RecordResult } from '../charge.ts';
import { fromProtoCreateChargeRequest, toProtoCharge } from '../convert.ts';
import { recordedAndArchived, recordedAndErased, requestIdReused } from '../errors.ts';
import type { ChargeRecorder } from '../ports.ts';

/** The largest CreateCharge request, and the largest item of RecordCharges. */
export const CHARGE_REQUEST_BYTES_MAX = 1024 * 1024;

/**
 * The method on a recorder; `check` holds the contract's rules for a charge. `rejected` is told of each charge that
 * breaks one.
 */
export function createCharge(
  recorder: ChargeRecorder,
  check: Check<CreateChargeRequest>,
  rejected: () => void,
): RpcMethod {
  return unaryMethod({
    requestBytesMax: CHARGE_REQUEST_BYTES_MAX,
    decode: (bytes) => decodeStrictly(CreateChargeRequest, bytes),
    validate: (request) => {
      const violations = check(request);
      if (violations.length > 0) rejected();
      return violations;
    },
    response: CreateChargeResponse,
    handle(request, call) {
      const charge = fromProtoCreateChargeRequest(request, traceparentOf(call));
      return recorder.record(call.tenant, [charge], { signal: call }).then(toProtoCreateChargeResponse);
    },
  });
}

function toProtoCreateChargeResponse([result]: readonly RecordResult[]): CreateChargeResponse {
  if (result === undefined) throw new TypeError('the recorder gave no result');
  if (result.outcome === 'conflict') throw new ServiceError(requestIdReused(result));
  if (result.outcome === 'archived') throw new ServiceError(recordedAndArchived(result.chargeId));
  if (result.outcome === 'erased') throw new ServiceError(recordedAndErased(result.chargeId));
  return { charge: toProtoCharge(result.charge), replayed: result.outcome === 'replayed' };
}
