/** A real client of PriceService, and requests for it. */

import { ChannelCredentials } from '@grpc/grpc-js';

import { ChargeType, Provider } from '../../../generated/charge/v1/charge.ts';
import {
  BatchCreatePricesRequest,
  type BatchCreatePricesResponse,
  type CreatePriceRequest,
  type CreatePriceResponse,
  type GetPriceResponse,
  ListPricesRequest,
  type ListPricesResponse,
  Price,
  PriceKey,
  PriceServiceClient,
  type Rate,
} from '../../../generated/charge/v1/price_service.ts';
import type { UsageKind } from '../../../generated/charge/v1/money.ts';
import type { Timestamp } from '../../../generated/google/protobuf/timestamp.ts';
import { createMigratedDatabase, query, type TestDatabase } from '../../support/database.ts';
import { call, openTestServer, type TestServer } from '../../support/server.ts';

/** Calls of PriceService over a connection of its own. */
export interface PriceClient {
  readonly raw: PriceServiceClient;
  create(request: CreatePriceRequest): Promise<CreatePriceResponse>;
  createBatch(...requests: CreatePriceRequest[]): Promise<BatchCreatePricesResponse>;
  get(version: bigint): Promise<GetPriceResponse>;
  list(request?: Partial<ListPricesRequest>): Promise<ListPricesResponse>;
}

export function openPriceClient(address: string): PriceClient {
  const raw = new PriceServiceClient(address, ChannelCredentials.createInsecure(), {
    'grpc.use_local_subchannel_pool': 1,
  });
  return {
    raw,
    create: (request) => call((done) => raw.createPrice(request, done)),
    createBatch: (...requests) =>
      call((done) => raw.batchCreatePrices(BatchCreatePricesRequest.fromPartial({ requests }), done)),
    get: (version) => call((done) => raw.getPrice({ version }, done)),
    list: (request = {}) =>
      call((done) => raw.listPrices({ ...ListPricesRequest.fromPartial({}), ...request }, done)),
  };
}

/** Servers on one database, and a client of each. */
export interface PriceFixture {
  readonly database: TestDatabase;
  readonly servers: readonly TestServer[];
  readonly clients: readonly PriceClient[];
  /** The first one. */
  readonly client: PriceClient;
  /** Whatever was stored of prices: the number of versions, and the last one by the journal's head. */
  stored(): Promise<{ versions: number; head: number }>;
  close(): Promise<void>;
}

export async function openPriceFixture(serverCount = 1): Promise<PriceFixture> {
  const database = await createMigratedDatabase();
  const servers = await Promise.all(Array.from({ length: serverCount }, () => openTestServer(database.url)));
  const clients = servers.map(({ address }) => openPriceClient(address));
  return {
    database,
    servers,
    clients,
    client: clients[0] as PriceClient,
    stored: async () => {
      const [row] = await query(
        database.url,
        `SELECT (SELECT count(*)::int FROM price) AS versions, price_version AS head FROM journal_head`,
      );
      return row as { versions: number; head: number };
    },
    close: async () => {
      for (const { raw } of clients) raw.close();
      await Promise.all(servers.map((server) => server.close()));
      await database.drop();
    },
  };
}

type Basis = NonNullable<Price['basis']>;

/** A rate card of these rates: kind → nanos per million. */
export function card(rates: Readonly<Record<number, bigint>>): Basis {
  return {
    $case: 'rateCard',
    value: { currencyCode: 'USD', rates: ratesOf(rates), tiers: [] },
  };
}

export function ratesOf(rates: Readonly<Record<number, bigint>>): Rate[] {
  return Object.entries(rates).map(([kind, nanosPerMillion]) => ({
    kind: Number(kind) as UsageKind,
    nanosPerMillion,
  }));
}

export function alias(model: string): Basis {
  return { $case: 'alias', value: { model } };
}

/** What a test cares about of a version to add. */
export interface PriceOptions {
  readonly key?: Partial<PriceKey>;
  readonly from?: Timestamp | undefined;
  readonly basis?: Basis | undefined;
  readonly source?: string;
  readonly note?: string;
  readonly allowPast?: boolean;
}

/** A valid request. */
export function priceRequest(
  requestId: string,
  {
    key = {},
    from,
    basis = card({ 1: 1_000_000n }),
    source = '',
    note = '',
    allowPast = false,
  }: PriceOptions = {},
): CreatePriceRequest {
  return {
    requestId,
    allowPast,
    price: {
      ...Price.fromPartial({}),
      key: {
        ...PriceKey.fromPartial({}),
        provider: Provider.PROVIDER_OPENAI,
        chargeType: ChargeType.CHARGE_TYPE_COMPLETION,
        model: 'gpt-4o',
        ...key,
      },
      effectiveTime: from,
      basis,
      source,
      note,
    },
  };
}

/** `2026-08-21T00:00:00Z` and so on, to the millisecond. */
export function at(text: string): Timestamp {
  const millis = Date.parse(text);
  const seconds = Math.floor(millis / 1000);
  return { seconds: BigInt(seconds), nanos: (millis - seconds * 1000) * 1_000_000 };
}
