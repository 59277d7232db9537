/** RepriceCharges: new costs for recorded charges, with the prices as they are now. */

import {
  type AmountChange,
  RepriceChargesRequest,
  RepriceChargesResponse,
} from '../../../generated/charge/v1/price_service.ts';
import { decodeStrictly } from '../../grpc/codec.ts';
import { SMALL_REQUEST_BYTES_MAX } from '../../grpc/limits.ts';
import type { RpcMethod } from '../../grpc/service.ts';
import { unaryMethod } from '../../grpc/unary.ts';
import type { Check } from '../../grpc/validation.ts';
import { fromProtoChargeFilter } from '../convert.ts';
import type { ChargeRepricer, RepricePage } from '../ports.ts';
import type { RepriceTotals } from '../reprice.ts';
import { decodePageToken, encodePageToken, type PageScope } from './page-token.ts';

const CHARGES_MAX = 10_000;

/** They go one after the other anyway: each waits for the tenant's lock, and so do corrections. */
const CONCURRENCY = { max: 1, waitingMax: 16 };

/** The method on a repricer. */
export function repriceCharges(repricer: ChargeRepricer, check: Check<RepriceChargesRequest>): RpcMethod {
  return unaryMethod({
    requestBytesMax: SMALL_REQUEST_BYTES_MAX,
    decode: (bytes) => decodeStrictly(RepriceChargesRequest, bytes),
    validate: check,
    response: RepriceChargesResponse,
    concurrency: CONCURRENCY,
    async handle(request, call) {
      const { tenant } = call;
      const { includePriced, dryRun, reason, runId, allowClosedPeriod } = request;
      const filter = fromProtoChargeFilter(request.filter);
      const scope: PageScope = { tenant, filter, options: ['RepriceCharges', includePriced] };
      const after = request.pageToken === '' ? undefined : decodePageToken(scope, request.pageToken);
      const maxCharges = request.maxCharges || CHARGES_MAX;
      const query = { filter, includePriced, dryRun, reason, runId, allowClosedPeriod, maxCharges, after };
      return toProtoPage(scope, await repricer.reprice(tenant, query, call));
    },
  });
}

function toProtoPage(scope: PageScope, { totals, lastSequence, next }: RepricePage): RepriceChargesResponse {
  return {
    matchedCharges: BigInt(totals.matchedCharges),
    changedCharges: BigInt(totals.changedCharges),
    unpricedCharges: BigInt(totals.unpricedCharges),
    amounts: toProtoAmounts(totals.amounts),
    lastSequence,
    nextPageToken: next === undefined ? '' : encodePageToken(scope, next),
  };
}

function toProtoAmounts(amounts: RepriceTotals['amounts']): AmountChange[] {
  return [...amounts]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([currencyCode, { before, after }]) => ({
      before: { currencyCode, nanos: before },
      after: { currencyCode, nanos: after },
    }));
}
