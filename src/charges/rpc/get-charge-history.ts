/** GetChargeHistory: how a charge was recorded, each cost that it had, and its correction. */

import {
  GetChargeHistoryRequest,
  GetChargeHistoryResponse,
} from '../../../generated/charge/v1/charge_service.ts';
import { ServiceError } from '../../errors/failure.ts';
import { decodeStrictly } from '../../grpc/codec.ts';
import type { RpcMethod } from '../../grpc/service.ts';
import { unaryMethod } from '../../grpc/unary.ts';
import type { Check } from '../../grpc/validation.ts';
import { toProtoChargeHistory } from '../convert.ts';
import { chargeNotFound } from '../errors.ts';
import type { ChargeReader } from '../ports.ts';
import { chargeKeyOf } from './charge-key.ts';
import { READ_REQUEST_BYTES_MAX } from './get-charge.ts';

/** The method on a reader. */
export function getChargeHistory(reader: ChargeReader, check: Check<GetChargeHistoryRequest>): RpcMethod {
  return unaryMethod({
    requestBytesMax: READ_REQUEST_BYTES_MAX,
    decode: (bytes) => decodeStrictly(GetChargeHistoryRequest, bytes),
    validate: check,
    response: GetChargeHistoryResponse,
    hasLargeResponse: true,
    async handle(request, { tenant, timeoutMs }) {
      const key = chargeKeyOf(request.key);
      const history = await reader.history(tenant, key, { timeoutMs });
      if (history === undefined) throw new ServiceError(chargeNotFound(key));
      return toProtoChargeHistory(history);
    },
  });
}
