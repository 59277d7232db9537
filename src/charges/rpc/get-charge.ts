/** GetCharge: one charge, by its id or by the request id that made it. */

import { GetChargeRequest, GetChargeResponse } from '../../../generated/charge/v1/charge_service.ts';
import { ServiceError } from '../../errors/failure.ts';
import { decodeStrictly } from '../../grpc/codec.ts';
import type { RpcMethod } from '../../grpc/service.ts';
import { unaryMethod } from '../../grpc/unary.ts';
import type { Check } from '../../grpc/validation.ts';
import { toProtoCharge } from '../convert.ts';
import { chargeNotFound } from '../errors.ts';
import type { ChargeReader } from '../ports.ts';
import { chargeKeyOf } from './charge-key.ts';

/** Far above the largest valid request of a method that reads. Checking the rules costs time for every byte. */
export const READ_REQUEST_BYTES_MAX = 64 * 1024;

/** The method on a reader. */
export function getCharge(reader: ChargeReader, check: Check<GetChargeRequest>): RpcMethod {
  return unaryMethod({
    requestBytesMax: READ_REQUEST_BYTES_MAX,
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
