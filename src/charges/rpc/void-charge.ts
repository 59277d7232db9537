/** VoidCharge: takes a charge out of all totals, once. */

import { VoidChargeRequest, VoidChargeResponse } from '../../../generated/charge/v1/charge_service.ts';
import { decodeStrictly } from '../../grpc/codec.ts';
import type { RpcMethod } from '../../grpc/service.ts';
import { traceparentOf } from '../../grpc/trace-context.ts';
import { unaryMethod } from '../../grpc/unary.ts';
import type { Check } from '../../grpc/validation.ts';
import { toProtoCharge, toProtoCorrection } from '../convert.ts';
import type { ChargeCorrector } from '../ports.ts';
import { chargeKeyOf } from './charge-key.ts';
import { READ_REQUEST_BYTES_MAX } from './get-charge.ts';

/** The method on a corrector. */
export function voidCharge(corrector: ChargeCorrector, check: Check<VoidChargeRequest>): RpcMethod {
  return unaryMethod({
    requestBytesMax: READ_REQUEST_BYTES_MAX,
    decode: (bytes) => decodeStrictly(VoidChargeRequest, bytes),
    validate: check,
    response: VoidChargeResponse,
    async handle({ key, requestId, reason, allowClosedPeriod }, call) {
      const request = { kind: 'void', key: chargeKeyOf(key), requestId, reason, allowClosedPeriod } as const;
      const traceparent = traceparentOf(call);
      const result = await corrector.voidCharge(call.tenant, { ...request, traceparent }, call);
      return {
        charge: toProtoCharge(result.charge),
        correction: toProtoCorrection(result.correction),
        replayed: result.replayed,
      };
    },
  });
}
