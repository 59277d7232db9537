/** CreateCharge: one charge, once per request id. */

import {
  CreateChargeRequest,
  type CreateChargeResponse,
} from '../../../generated/charge/v1/charge_service.ts';
import { toProtoCharge } from '../../contract/charge.ts';
import { decodeStrictly } from '../../contract/wire.ts';
import type { RecordResult } from '../../domain/charge.ts';
import { ServiceError } from '../../domain/errors.ts';
import type { ChargeRecorder } from '../../domain/ports.ts';
import { conflictOf, fromProtoCreateChargeRequest } from '../convert/charge-requests.ts';
import type { RpcLimits } from '../dependencies.ts';
import { traceparentOf } from '../trace-context.ts';
import type { UnaryMethod } from '../unary.ts';
import type { Check } from '../validate/contract-rules.ts';

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
