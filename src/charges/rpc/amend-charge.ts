/** AmendCharge: puts another charge in the place of one, once. */

import { AmendChargeRequest, AmendChargeResponse } from '../../../generated/charge/v1/charge_service.ts';
import { decodeStrictly } from '../../grpc/codec.ts';
import type { RpcMethod } from '../../grpc/service.ts';
import { traceparentOf } from '../../grpc/trace-context.ts';
import { unaryMethod } from '../../grpc/unary.ts';
import type { Check } from '../../grpc/validation.ts';
import type { AmendRequest } from '../charge.ts';
import { fromProtoCharge, toProtoCharge, toProtoCorrection } from '../convert.ts';
import type { ChargeCorrector, CorrectedCharge } from '../ports.ts';
import { chargeKeyOf } from './charge-key.ts';
import { READ_REQUEST_BYTES_MAX } from './get-charge.ts';

/** The method on a corrector. */
export function amendCharge(corrector: ChargeCorrector, check: Check<AmendChargeRequest>): RpcMethod {
  return unaryMethod({
    requestBytesMax: READ_REQUEST_BYTES_MAX,
    decode: (bytes) => decodeStrictly(AmendChargeRequest, bytes),
    validate: check,
    response: AmendChargeResponse,
    handle: (request, call) =>
      corrector
        .amendCharge(call.tenant, fromProto(request, traceparentOf(call)), call)
        .then(toProtoAmendChargeResponse),
  });
}

function fromProto(
  { key, charge, requestId, reason, allowClosedPeriod }: AmendChargeRequest,
  traceparent: string | undefined,
): AmendRequest {
  if (charge === undefined) throw new TypeError('a request without a charge passed validation');
  const content = fromProtoCharge(charge);
  return { kind: 'amend', key: chargeKeyOf(key), content, requestId, reason, allowClosedPeriod, traceparent };
}

function toProtoAmendChargeResponse(result: CorrectedCharge): AmendChargeResponse {
  return {
    charge: result.replacement && toProtoCharge(result.replacement),
    original: toProtoCharge(result.charge),
    correction: toProtoCorrection(result.correction),
    replayed: result.replayed,
  };
}
