/** ClosePeriod: from now on, corrections of earlier usage must say that they are intended. */

import { ClosePeriodRequest, ClosePeriodResponse } from '../../../generated/charge/v1/charge_service.ts';
import { decodeStrictly } from '../../grpc/codec.ts';
import type { RpcMethod } from '../../grpc/service.ts';
import { fromProtoTimestamp, toProtoTimestamp } from '../../grpc/timestamp.ts';
import { unaryMethod } from '../../grpc/unary.ts';
import type { Check } from '../../grpc/validation.ts';
import type { ChargeCorrector } from '../ports.ts';
import { READ_REQUEST_BYTES_MAX } from './get-charge.ts';

/** The method on a corrector. */
export function closePeriod(corrector: ChargeCorrector, check: Check<ClosePeriodRequest>): RpcMethod {
  return unaryMethod({
    requestBytesMax: READ_REQUEST_BYTES_MAX,
    decode: (bytes) => decodeStrictly(ClosePeriodRequest, bytes),
    validate: check,
    response: ClosePeriodResponse,
    async handle({ endTime }, call) {
      if (endTime === undefined) throw new TypeError('a request without an end time passed validation');
      const closed = await corrector.closePeriod(call.tenant, fromProtoTimestamp(endTime), call);
      return { endTime: toProtoTimestamp(closed.endTimeMicros), sequence: closed.sequence };
    },
  });
}
