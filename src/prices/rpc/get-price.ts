/** GetPrice: one version, by its number. */

import { GetPriceRequest, GetPriceResponse } from '../../../generated/charge/v1/price_service.ts';
import { ServiceError } from '../../errors/failure.ts';
import { decodeStrictly } from '../../grpc/codec.ts';
import type { RpcMethod } from '../../grpc/service.ts';
import { unaryMethod } from '../../grpc/unary.ts';
import type { Check } from '../../grpc/validation.ts';
import { toProtoPrice } from '../convert.ts';
import { priceNotFound } from '../errors.ts';
import type { PriceReader } from '../ports.ts';

/** Far above the largest valid request of a method that reads. */
export const READ_REQUEST_BYTES_MAX = 64 * 1024;

/** The method on a reader. */
export function getPrice(reader: PriceReader, check: Check<GetPriceRequest>): RpcMethod {
  return unaryMethod({
    requestBytesMax: READ_REQUEST_BYTES_MAX,
    decode: (bytes) => decodeStrictly(GetPriceRequest, bytes),
    validate: check,
    response: GetPriceResponse,
    async handle({ version }, { tenant }) {
      // No version has a number that is not exact as a number of the program.
      const prices = await reader.including(tenant, Number(version));
      const price = prices.get(Number(version));
      if (price === undefined) throw new ServiceError(priceNotFound(version));
      return { price: toProtoPrice(price) };
    },
  });
}
