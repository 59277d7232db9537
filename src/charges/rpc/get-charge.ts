/** GetCharge: one charge, by its id or by the request id that made it. */

import { GetChargeRequest, GetChargeResponse } from '../../../generated/charge/v1/charge_service.ts';
import { ServiceError } from '../../errors/failure.ts';
import { decodeStrictly } from '../../grpc/codec.ts';
import { SMALL_REQUEST_BYTES_MAX } from '../../grpc/limits.ts';
import type { RpcMethod } from '../../grpc/service.ts';
import { unaryMethod } from '../../grpc/unary.ts';
import type { Check } from '../../grpc/validation.ts';
import { toProtoCharge } from '../convert.ts';
import { chargeNotFound } from '../errors.ts';
import type { ChargeReader } from '../ports.ts';
import { chargeKeyOf } from './charge-key.ts';

/** The method on a reader. */
export function getCharge(reader: ChargeReader, check: Check<GetChargeRequest>): RpcMethod {
  return unaryMethod({
    requestBytesMax: SMALL_REQUEST_BYTES_MAX,
    decode: (bytes) => decodeStrictly(GetChargeRequest, bytes),
    validate: check,
    response: GetChargeResponse,
    async handle({ key }, { tenant, timeoutMs }) {
      const wanted = chargeKeyOf(key);
      const charge = await ('id' in wanted
        ? reader.findById(tenant, wanted.id, { timeoutMs })
        : reader.findByRequestId(tenant, wanted.requestId, { timeoutMs }));
      if (charge === undefined) throw new ServiceError(chargeNotFound(wanted));
      return { charge: toProtoCharge(charge, await reader.linesOf(tenant, charge)) };
    },
  });
}
