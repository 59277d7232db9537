/** GetChargeHistory: how a charge was recorded, each cost that it had, and its correction. */

import {
  GetChargeHistoryRequest,
  GetChargeHistoryResponse,
} from '../../../generated/charge/v1/charge_service.ts';
import { decodeStrictly } from '../../grpc/codec.ts';
import { SMALL_REQUEST_BYTES_MAX } from '../../grpc/limits.ts';
import type { RpcMethod } from '../../grpc/service.ts';
import { unaryMethod } from '../../grpc/unary.ts';
import type { Check } from '../../grpc/validation.ts';
import { toProtoChargeHistory } from '../convert.ts';
import type { ChargeReader } from '../ports.ts';
import { chargeKeyOf } from './charge-key.ts';
import { ownCharge } from './own-charges.ts';

/** The method on a reader. */
export function getChargeHistory(reader: ChargeReader, check: Check<GetChargeHistoryRequest>): RpcMethod {
  return unaryMethod({
    requestBytesMax: SMALL_REQUEST_BYTES_MAX,
    decode: (bytes) => decodeStrictly(GetChargeHistoryRequest, bytes),
    validate: check,
    response: GetChargeHistoryResponse,
    hasLargeResponse: true,
    async handle(request, { tenant, principal, timeoutMs }) {
      const key = chargeKeyOf(request.key);
      return toProtoChargeHistory(
        await ownCharge(principal, key, reader.history(tenant, key, { timeoutMs }), (found) => found.charge),
      );
    },
  });
}
