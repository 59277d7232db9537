/** CreateCharge: one charge, once per request id. */

import {
  CreateChargeRequest,
  type CreateChargeResponse,
} from '../../../generated/charge/v1/charge_service.ts';
import { toProtoCharge } from '../convert.ts';
import { decodeStrictly } from '../../grpc/codec.ts';
import type { RecordResult } from '../charge.ts';
import { ServiceError } from '../../errors/service-error.ts';
import type { ChargeRecorder } from '../ports.ts';
import { conflictOf, fromProtoCreateChargeRequest } from './charge-requests.ts';
import type { RpcLimits } from '../../grpc/dependencies.ts';
import { traceparentOf } from '../../grpc/trace-context.ts';
import type { UnaryMethod } from '../../grpc/unary.ts';
import type { Check } from '../../grpc/contract-rules.ts';

/** The method on a recorder; `check` holds the contract's rules for a charge. */
export function createCharge(
  recorder: ChargeRecorder,
  limits: RpcLimits,
  check: Check<CreateChargeRequest>,
): UnaryMethod<CreateChargeRequest, CreateChargeResponse> {
  return {
    name: 'CreateCharge',
    messageBytesMax: limits.unaryMessageBytesMax,
    decode: (bytes) => decodeStrictly(CreateChargeRequest, bytes),
    validate: check,
    handle(request, call) {
      const charge = fromProtoCreateChargeRequest(request, traceparentOf(call));
      return recorder.record(call.tenant, [charge], { signal: call }).then(toProtoCreateChargeResponse);
    },
  };
}

function toProtoCreateChargeResponse([result]: readonly RecordResult[]): CreateChargeResponse {
  if (result === undefined) throw new TypeError('the recorder gave no result');
  if (result.outcome === 'conflict') throw new ServiceError(conflictOf(result));
  return { charge: toProtoCharge(result.charge), replayed: result.outcome === 'replayed' };
}
