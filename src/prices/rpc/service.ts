/** `charge.v1.PriceService`: which method does what. */

import * as proto from '../../../generated/charge/v1/price_service.ts';
import type { RpcMethod, RpcService } from '../../grpc/service.ts';
import type { ContractRules } from '../../grpc/validation.ts';
import type { PriceReader, PriceRecorder } from '../ports.ts';
import { batchCreatePrices } from './batch-create-prices.ts';
import { createPrice } from './create-price.ts';
import { getPrice } from './get-price.ts';
import { listPrices } from './list-prices.ts';
import { createPriceCheck } from './price-rules.ts';

/** The methods that read or change charges. Charges stand on prices, so these come from outside. */
export type ChargeMethods = Readonly<
  Record<'estimateCost' | 'repriceCharges' | 'listUnpricedUsage', RpcMethod>
>;

/** What the service works on; it owns none of it. */
export interface PriceServiceDependencies {
  readonly recorder: PriceRecorder;
  readonly reader: PriceReader;
  readonly rules: ContractRules;
  readonly chargeMethods: Partial<ChargeMethods>;
}

/** The service, ready to be added to a server. A charge method that is left out is UNIMPLEMENTED. */
export function priceService({
  recorder,
  reader,
  rules,
  chargeMethods,
}: PriceServiceDependencies): RpcService {
  const item = createPriceCheck(rules);
  return {
    name: 'charge.v1.PriceService',
    definition: proto.PriceServiceService,
    methods: {
      createPrice: createPrice(recorder, item),
      batchCreatePrices: batchCreatePrices(recorder, item),
      getPrice: getPrice(reader, rules.checkOf('charge.v1.GetPriceRequest', proto.GetPriceRequest)),
      listPrices: listPrices(reader, rules.checkOf('charge.v1.ListPricesRequest', proto.ListPricesRequest)),
      ...chargeMethods,
    },
  };
}
