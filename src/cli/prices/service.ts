/** The calls of the commands about prices. */

import { Metadata, type ServiceError } from '@grpc/grpc-js';
import pRetry, { AbortError } from 'p-retry';
import {
  PriceServiceClient,
  type BatchCreatePricesResponse,
  type CreatePriceRequest,
  type CreatePriceResponse,
  type ListPricesRequest,
  type ListPricesResponse,
  type ListUnpricedUsageRequest,
  type ListUnpricedUsageResponse,
  type Price,
  type RepriceChargesRequest,
  type RepriceChargesResponse,
} from '../../../generated/charge/v1/price_service.ts';
import { openClient, ServiceUnavailable, waitForServer } from '../client.ts';
import { adviceOn, describe, errorOfCall, type ServerError } from '../server-error.ts';

const CONNECT_TIMEOUT_MS = 5000;
/** A page of a reprice reads and writes thousands of rows. */
const CALL_TIMEOUT_MS = 120_000;
const RETRIES = { retries: 5, minTimeout: 200, maxTimeout: 5000 };
const PAGE_SIZE = 1000;

/** The service refused a call: repeating it does not help. Nothing of this call was stored. */
export class CallRefused extends Error {
  override name = 'CallRefused';
  readonly error: ServerError;

  constructor(error: ServerError) {
    super(describe(error));
    this.error = error;
  }
}

type Callback<R> = (error: ServiceError | null, response: R) => void;
type Options = [Metadata, { deadline: number }];

/**
 * A client that repeats what a repeat may help against. Every method rejects with a {@link CallRefused}, or with a
 * {@link ServiceUnavailable} if the service does not answer.
 */
export class PriceApi {
  readonly #client: PriceServiceClient;

  private constructor(client: PriceServiceClient) {
    this.#client = client;
  }

  /** Connects, runs `work` and closes the connection. Rejects with a {@link ServiceUnavailable} after 5 s. */
  static async use<T>(address: string, work: (api: PriceApi) => Promise<T>): Promise<T> {
    const client = openClient(PriceServiceClient, address);
    try {
      await waitForServer(client, CONNECT_TIMEOUT_MS);
      return await work(new PriceApi(client));
    } finally {
      client.close();
    }
  }

  /** Every page. The versions in the order of their numbers, the latest first. */
  async listAll(request: Partial<ListPricesRequest>): Promise<Price[]> {
    const prices: Price[] = [];
    let pageToken = '';
    do {
      const page: ListPricesRequest = {
        provider: 0,
        modelPrefix: '',
        effectiveAt: undefined,
        allVersions: false,
        ...request,
        pageSize: PAGE_SIZE,
        pageToken,
      };
      const response = await this.#call<ListPricesResponse>((options, done) =>
        this.#client.listPrices(page, ...options, done),
      );
      for (const price of response.prices) prices.push(price);
      pageToken = response.nextPageToken;
    } while (pageToken !== '');
    return prices;
  }

  /** Adds all or none. A repeat adds nothing twice, because each request has its id. */
  async createAll(requests: CreatePriceRequest[]): Promise<readonly CreatePriceResponse[]> {
    const response = await this.#call<BatchCreatePricesResponse>((options, done) =>
      this.#client.batchCreatePrices({ requests }, ...options, done),
    );
    return response.responses;
  }

  listUnpriced(request: ListUnpricedUsageRequest): Promise<ListUnpricedUsageResponse> {
    return this.#call((options, done) => this.#client.listUnpricedUsage(request, ...options, done));
  }

  /** One page. A repeat changes nothing. */
  reprice(request: RepriceChargesRequest): Promise<RepriceChargesResponse> {
    return this.#call((options, done) => this.#client.repriceCharges(request, ...options, done));
  }

  #call<R>(start: (options: Options, done: Callback<R>) => unknown): Promise<R> {
    const attempt = (): Promise<R> =>
      new Promise((resolve, reject) => {
        start([new Metadata(), { deadline: Date.now() + CALL_TIMEOUT_MS }], (error, response) => {
          if (error === null) return resolve(response);
          const serverError = errorOfCall(error);
          if (adviceOn(serverError) === 'give_up')
            return reject(new AbortError(new CallRefused(serverError)));
          reject(new ServiceUnavailable(describe(serverError)));
        });
      });
    return pRetry(attempt, RETRIES);
  }
}
