/** The methods of `charge.v1.PriceService` that read or change charges. Prices do not know charges. */

import * as proto from '../../../generated/charge/v1/price_service.ts';
import type { RpcMethod } from '../../grpc/service.ts';
import type { ContractRules } from '../../grpc/validation.ts';
import type { PriceReader } from '../../prices/index.ts';
import type { ChargeRepricer, UnpricedUsageReader } from '../ports.ts';
import { createChargeCheck } from './charge-rules.ts';
import { estimateCost } from './estimate-cost.ts';
import { listUnpricedUsage } from './list-unpriced-usage.ts';
import { repriceCharges } from './reprice-charges.ts';

/** What the methods work on; they own none of it. */
export interface PriceMethodDependencies {
  readonly repricer: ChargeRepricer;
  readonly unpricedUsage: UnpricedUsageReader;
  readonly prices: PriceReader;
  readonly rules: ContractRules;
}

/** The methods by their names in the service. */
export function priceMethods({ repricer, unpricedUsage, prices, rules }: PriceMethodDependencies) {
  return {
    estimateCost: estimateCost(prices, createChargeCheck(rules)),
    repriceCharges: repriceCharges(
      repricer,
      rules.checkOf('charge.v1.RepriceChargesRequest', proto.RepriceChargesRequest),
    ),
    listUnpricedUsage: listUnpricedUsage(
      unpricedUsage,
      rules.checkOf('charge.v1.ListUnpricedUsageRequest', proto.ListUnpricedUsageRequest),
    ),
  } satisfies Record<string, RpcMethod>;
}
