/** GetCharge: one charge, by its id or by the request id that made it. */

import { GetChargeRequest, GetChargeResponse } from '../../../generated/charge/v1/charge_service.ts';
import { decodeStrictly } from '../../grpc/codec.ts';
import { SMALL_REQUEST_BYTES_MAX } from '../../grpc/limits.ts';
import type { RpcMethod } from '../../grpc/service.ts';
import { unaryMethod } from '../../grpc/unary.ts';
import type { Check } from '../../grpc/validation.ts';
import { toProtoCharge } from '../convert.ts';
import type { ChargeReader } from '../ports.ts';
import { chargeKeyOf } from './charge-key.ts';
import { ownCharge } from './own-charges.ts';

/** The method on a reader. */
export function getCharge(reader: ChargeReader, check: Check<GetChargeRequest>): RpcMethod {
  return unaryMethod({
    requestBytesMax: SMALL_REQUEST_BYTES_MAX,
    decode: (bytes) => decodeStrictly(GetChargeRequest, bytes),
    validate: check,
    response: GetChargeResponse,
    async handle({ key }, { tenant, principal, timeoutMs }) {
      const wanted = chargeKeyOf(key);
      const reading =
        'id' in wanted
          ? reader.findById(tenant, wanted.id, { timeoutMs })
          : reader.findByRequestId(tenant, wanted.requestId, { timeoutMs });
      const charge = await ownCharge(principal, wanted, reading, (found) => found);
      return { charge: toProtoCharge(charge, await reader.linesOf(tenant, charge)) };
    },
  });
}
