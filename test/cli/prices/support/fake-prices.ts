/** A PriceService in memory, on a real port: as much of it as the commands need, and the faults that they must survive. */

import {
  Metadata,
  type sendUnaryData,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  status as codes,
  type UntypedHandleCall,
} from '@grpc/grpc-js';
import {
  type BatchCreatePricesRequest,
  type BatchCreatePricesResponse,
  type CreatePriceResponse,
  type ListPricesRequest,
  type ListPricesResponse,
  type ListUnpricedUsageRequest,
  ListUnpricedUsageResponse,
  type Price,
  PriceServiceService,
  type RepriceChargesRequest,
  RepriceChargesResponse,
} from '../../../../generated/charge/v1/price_service.ts';
import { ErrorInfo } from '../../../../generated/google/rpc/error_details.ts';
import { Status } from '../../../../generated/google/rpc/status.ts';
import { historyOf, pricesAt } from '../../../../src/cli/prices/plan.ts';
import { microsOf } from '../../../../src/cli/time.ts';

/** A refusal with its reason and metadata. */
export interface Refusal {
  readonly code: codes;
  readonly reason: string;
  readonly metadata?: Readonly<Record<string, string>>;
}

/** Keeps its versions in memory. */
export class FakePrices {
  readonly versions: Price[] = [];
  readonly repriced: RepriceChargesRequest[] = [];
  batches = 0;
  unpriced: ListUnpricedUsageResponse = ListUnpricedUsageResponse.fromPartial({});
  unpricedRequest: ListUnpricedUsageRequest | undefined;
  /** Answers of RepriceCharges, page by page. The last one has no token. */
  pages: RepriceChargesResponse[] = [RepriceChargesResponse.fromPartial({})];
  /** The reason for which a page that is not there is refused. */
  noPage = 'PAGE_TOKEN_INVALID';
  /** Refuses the batch after so many. */
  refuses: { afterBatches: number; refusal: Refusal } | undefined;
  /** Called before each answer of RepriceCharges and BatchCreatePrices. */
  beforeAnswer: (() => void | Promise<void>) | undefined;
  address = '';
  readonly #byRequestId = new Map<string, CreatePriceResponse>();
  readonly #server = new Server();

  async start(): Promise<void> {
    const unused: UntypedHandleCall = () => undefined;
    this.#server.addService(PriceServiceService, {
      createPrice: unused,
      getPrice: unused,
      estimateCost: unused,
      batchCreatePrices: (call: Call<BatchCreatePricesRequest>, done: Done<BatchCreatePricesResponse>) =>
        void this.#batchCreate(call.request, done),
      listPrices: ({ request }: Call<ListPricesRequest>, done: Done<ListPricesResponse>) =>
        done(null, this.#list(request)),
      listUnpricedUsage: (
        { request }: Call<ListUnpricedUsageRequest>,
        done: Done<ListUnpricedUsageResponse>,
      ) => {
        this.unpricedRequest = request;
        done(null, this.unpriced);
      },
      repriceCharges: (call: Call<RepriceChargesRequest>, done: Done<RepriceChargesResponse>) =>
        void this.#reprice(call.request, done),
    });
    const port = await new Promise<number>((resolve, reject) => {
      this.#server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
        error ? reject(error) : resolve(bound),
      );
    });
    this.address = `127.0.0.1:${port}`;
  }

  stop(): void {
    this.#server.forceShutdown();
  }

  async #batchCreate(
    { requests }: BatchCreatePricesRequest,
    done: Done<BatchCreatePricesResponse>,
  ): Promise<void> {
    await this.beforeAnswer?.();
    if (this.refuses && this.batches >= this.refuses.afterBatches) return done(errorOf(this.refuses.refusal));
    this.batches += 1;
    const responses = requests.map(({ price, requestId }): CreatePriceResponse => {
      const known = this.#byRequestId.get(requestId);
      if (known) return { ...known, replayed: true };
      if (!price) throw new Error('a request without a price');
      const version = BigInt(this.versions.length + 1);
      const effectiveTime = price.effectiveTime ?? {
        seconds: BigInt(Math.floor(Date.now() / 1000)),
        nanos: 0,
      };
      const stored = { ...price, version, effectiveTime };
      this.versions.push(stored);
      const response = { price: stored, replayed: false, unchanged: false };
      this.#byRequestId.set(requestId, response);
      return response;
    });
    done(null, { responses });
  }

  /** Two pages, so that nobody relies on one. */
  #list({
    pageToken,
    provider,
    modelPrefix,
    effectiveAt,
    allVersions,
  }: ListPricesRequest): ListPricesResponse {
    const at = effectiveAt ? microsOf(effectiveAt) : BigInt(Date.now()) * 1000n;
    const prices = (allVersions ? this.versions : pricesAt(historyOf(this.versions), at))
      .filter(
        ({ key }) => (provider === 0 || key?.provider === provider) && key?.model.startsWith(modelPrefix),
      )
      .sort((a, b) => Number(b.version - a.version));
    const half = Math.ceil(prices.length / 2);
    if (pageToken !== '') return { prices: prices.slice(half), nextPageToken: '' };
    return { prices: prices.slice(0, half), nextPageToken: 'second' };
  }

  async #reprice(request: RepriceChargesRequest, done: Done<RepriceChargesResponse>): Promise<void> {
    await this.beforeAnswer?.();
    this.repriced.push(request);
    const index = request.pageToken === '' ? 0 : Number(request.pageToken.replace('page-', ''));
    const page = this.pages[index];
    if (!page) return done(errorOf({ code: codes.INVALID_ARGUMENT, reason: this.noPage }));
    done(null, { ...page, nextPageToken: index + 1 < this.pages.length ? `page-${index + 1}` : '' });
  }
}

type Call<T> = ServerUnaryCall<T, unknown>;
type Done<T> = sendUnaryData<T>;

function errorOf({ code, reason, metadata = {} }: Refusal) {
  const info = { reason, domain: 'charge.v1', metadata: new Map(Object.entries(metadata)) };
  const value = Buffer.from(ErrorInfo.encode(info).finish());
  const details = [{ typeUrl: 'type.googleapis.com/google.rpc.ErrorInfo', value }];
  const trailers = new Metadata();
  const status = Status.fromPartial({ code, message: reason, details });
  trailers.set('grpc-status-details-bin', Buffer.from(Status.encode(status).finish()));
  return { code, details: `refused: ${reason}`, metadata: trailers };
}
