/** PriceService as a client of it: adds prices, and prices charges again. */

import { credentials, type ServiceError } from '@grpc/grpc-js';

import { ChargeFilter } from '../../generated/charge/v1/charge_service.ts';
import {
  type BatchCreatePricesResponse,
  type CreatePriceRequest,
  PriceServiceClient,
  type RepriceChargesResponse,
} from '../../generated/charge/v1/price_service.ts';
import { changedPrices } from './price-list.ts';
import type { Context } from './scenario.ts';

/** The most requests of one BatchCreatePrices. */
const BATCH_MAX = 1_000;

/** Connects to a service; the connection is closed after the scenario. */
export function openPriceClient({ stack }: Context, address: string): PriceServiceClient {
  const client = new PriceServiceClient(address, credentials.createInsecure());
  stack.defer(() => client.close());
  return client;
}

/** Adds versions in this order. Throws unless each of them is new. */
export async function addPrices(
  client: PriceServiceClient,
  requests: readonly CreatePriceRequest[],
): Promise<void> {
  for (let first = 0; first < requests.length; first += BATCH_MAX) {
    const batch = requests.slice(first, first + BATCH_MAX);
    const { responses } = await call<BatchCreatePricesResponse>((done) =>
      client.batchCreatePrices({ requests: batch }, done),
    );
    const added = responses.filter(({ replayed, unchanged }) => !replayed && !unchanged).length;
    if (added !== batch.length) throw new Error(`of ${batch.length} prices, ${added} were added`);
  }
}

/** Prices all charges until a moment again and again, each time with other prices, page by page. */
export class Repricer {
  readonly #client: PriceServiceClient;
  readonly #endMs: number;
  #run = 0;
  #repriced = 0;
  #pageToken = '';

  /** Of charges with a usage time before `endMs` (Unix time). */
  constructor(client: PriceServiceClient, endMs: number) {
    this.#client = client;
    this.#endMs = endMs;
  }

  /** Charges that got another cost since the start. */
  get repriced(): number {
    return this.#repriced;
  }

  /** Does the next page. Throws unless every charge of it has got another cost. */
  async page(): Promise<void> {
    if (this.#pageToken === '') await addPrices(this.#client, changedPrices(++this.#run + 1));
    const { changedCharges, matchedCharges, unpricedCharges, nextPageToken } = await this.#reprice();
    if (changedCharges !== matchedCharges || unpricedCharges !== 0n) {
      throw new Error(
        `of ${matchedCharges} charges, ${changedCharges} have another cost and ${unpricedCharges} none`,
      );
    }
    this.#pageToken = nextPageToken;
    this.#repriced += Number(changedCharges);
  }

  #reprice(): Promise<RepriceChargesResponse> {
    const request = {
      filter: ChargeFilter.fromPartial({
        startTime: { seconds: 0n, nanos: 0 },
        endTime: { seconds: BigInt(Math.ceil(this.#endMs / 1000)), nanos: 0 },
      }),
      includePriced: true,
      dryRun: false,
      reason: 'bench',
      runId: `bench-${this.#run}`,
      maxCharges: 0,
      pageToken: this.#pageToken,
      allowClosedPeriod: false,
    };
    return call((done) => this.#client.repriceCharges(request, done));
  }
}

function call<Response>(
  start: (done: (error: ServiceError | null, response: Response) => void) => unknown,
): Promise<Response> {
  return new Promise((resolve, reject) => {
    start((error, response) => {
      if (error === null) resolve(response);
      else reject(error);
    });
  });
}
