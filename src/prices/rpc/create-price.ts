/** CreatePrice: one version, once per request id. */

import { CreatePriceRequest, CreatePriceResponse } from '../../../generated/charge/v1/price_service.ts';
import { ServiceError } from '../../errors/failure.ts';
import { decodeStrictly } from '../../grpc/codec.ts';
import type { RpcMethod } from '../../grpc/service.ts';
import { unaryMethod } from '../../grpc/unary.ts';
import type { Check } from '../../grpc/validation.ts';
import { fromProtoCreatePriceRequest, toProtoCreatePriceResponse } from '../convert.ts';
import { priceRefused } from '../errors.ts';
import type { PriceRecorder } from '../ports.ts';

/** The largest CreatePrice request. */
const PRICE_REQUEST_BYTES_MAX = 1024 * 1024;

/** The additions of a tenant go one after the other anyway: more at once would only take connections. */
export const ONE_AFTER_THE_OTHER = { max: 1, waitingMax: 256 };

/** The method on a recorder; `check` holds the contract's rules for a price. */
export function createPrice(recorder: PriceRecorder, check: Check<CreatePriceRequest>): RpcMethod {
  return unaryMethod({
    requestBytesMax: PRICE_REQUEST_BYTES_MAX,
    decode: (bytes) => decodeStrictly(CreatePriceRequest, bytes),
    validate: check,
    response: CreatePriceResponse,
    concurrency: ONE_AFTER_THE_OTHER,
    async handle(request, call) {
      const made = { actor: call, method: 'CreatePrice' } as const;
      const results = await recorder.add(call.tenant, [fromProtoCreatePriceRequest(request)], made);
      if (!Array.isArray(results)) throw new ServiceError(priceRefused(results, false));
      const [result] = results;
      if (result === undefined) throw new TypeError('the recorder gave no result');
      return toProtoCreatePriceResponse(result);
    },
  });
}
