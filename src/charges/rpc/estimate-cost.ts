/** EstimateCost: what a charge would cost if it were recorded now. */

import type { CreateChargeRequest } from '../../../generated/charge/v1/charge_service.ts';
import { EstimateCostRequest, EstimateCostResponse } from '../../../generated/charge/v1/price_service.ts';
import { ServiceError } from '../../errors/failure.ts';
import { decodeStrictly } from '../../grpc/codec.ts';
import { refusalToActFor } from '../../grpc/own-user-profile.ts';
import type { RpcMethod } from '../../grpc/service.ts';
import { unaryMethod } from '../../grpc/unary.ts';
import type { Check } from '../../grpc/validation.ts';
import { type PriceBook, type PriceReader, toProtoCost, type Usage } from '../../prices/index.ts';
import { fromProtoCharge } from '../convert.ts';
import { CHARGE_REQUEST_BYTES_MAX } from './create-charge.ts';

const MICROS_PER_MILLI = 1000;

/** The method on price versions; `check` holds the contract's rules for a charge to record. */
export function estimateCost(
  prices: Pick<PriceReader, 'latest'>,
  check: Check<CreateChargeRequest>,
): RpcMethod {
  return unaryMethod({
    requestBytesMax: CHARGE_REQUEST_BYTES_MAX,
    decode: (bytes) => decodeStrictly(EstimateCostRequest, bytes),
    // The paths of the fields are the same in both requests. An estimate needs no request id.
    validate: ({ charge }) => check({ charge, requestId: 'estimate', importId: '' }),
    response: EstimateCostResponse,
    async handle({ charge }, { tenant, principal }) {
      if (charge === undefined) throw new TypeError('a request without a charge passed validation');
      const refusal = refusalToActFor(principal, charge.userProfile);
      if (refusal !== undefined) throw new ServiceError(refusal);
      return { cost: toProtoEstimate(await prices.latest(tenant), fromProtoCharge(charge)) };
    },
  });
}

function toProtoEstimate(prices: PriceBook, content: ReturnType<typeof fromProtoCharge>) {
  const usageTimeMicros = content.usageTimeMicros ?? BigInt(Date.now() * MICROS_PER_MILLI);
  const usage: Usage = { ...content, usageTimeMicros };
  const cost = prices.costOf(usage);
  const lines = cost.costNanos === undefined ? [] : prices.linesWith(cost.priceVersion, usage);
  return toProtoCost(cost, 0, lines);
}
