/** Clients of both services, and the calls that several suites make. */

import { ChannelCredentials } from '@grpc/grpc-js';

import type { Charge } from '../../../generated/charge/v1/charge.ts';
import {
  ChargeFilter,
  type ChargeServiceClient,
  type CreateChargeResponse,
  ListChargesRequest,
} from '../../../generated/charge/v1/charge_service.ts';
import {
  type CreatePriceResponse,
  type Price,
  PriceServiceClient,
} from '../../../generated/charge/v1/price_service.ts';
import { call, openClient } from '../../support/server.ts';
import { addCost, type Total } from './journal-consumer.ts';

/** Both services of one address. */
export class MoneyClient {
  readonly charges: ChargeServiceClient;
  readonly prices: PriceServiceClient;

  constructor(address: string) {
    this.charges = openClient(address);
    this.prices = new PriceServiceClient(address, ChannelCredentials.createInsecure());
  }

  createCharge(requestId: string, charge: Charge): Promise<CreateChargeResponse> {
    return call((callback) => this.charges.createCharge({ requestId, charge, importId: '' }, callback));
  }

  createPrice(requestId: string, price: Price, { allowPast = true } = {}): Promise<CreatePriceResponse> {
    return call((callback) => this.prices.createPrice({ requestId, price, allowPast }, callback));
  }

  /** The charge with the lines of its cost. */
  async getCharge(requestId: string): Promise<Charge> {
    const key = { $case: 'requestId', value: requestId } as const;
    const { charge } = await call<{ charge: Charge | undefined }>((callback) =>
      this.charges.getCharge({ key }, callback),
    );
    if (!charge) throw new Error(`the response has no charge of ${requestId}`);
    return charge;
  }

  /** Every charge of a filter, page after page. */
  async list(filter: Partial<ChargeFilter> = {}, { includeCorrected = false } = {}): Promise<Charge[]> {
    const charges: Charge[] = [];
    const request = ListChargesRequest.fromPartial({ pageSize: 1000, includeCorrected });
    request.filter = { ...ChargeFilter.fromPartial({}), ...filter };
    do {
      const page = await call<{ charges: Charge[]; nextPageToken: string }>((callback) =>
        this.charges.listCharges(request, callback),
      );
      charges.push(...page.charges);
      request.pageToken = page.nextPageToken;
    } while (request.pageToken !== '');
    return charges;
  }

  close(): void {
    this.charges.close();
    this.prices.close();
  }
}

/** What these charges add up to. */
export function sumOf(charges: readonly Charge[]): Total {
  const total: Total = { nanos: 0n, charges: charges.length, unpriced: 0 };
  for (const { cost } of charges) addCost(total, cost);
  return total;
}
