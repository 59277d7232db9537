/** A tenant's first minutes through the front door, and two tenants side by side. */

import { ChannelCredentials, type Metadata } from '@grpc/grpc-js';
import { afterAll, beforeAll, expect, test } from '@jest/globals';

import { Scope } from '../../generated/charge/v1/access.ts';
import type { ListChargesResponse, WatchChargesResponse } from '../../generated/charge/v1/charge_service.ts';
import { ListChargesRequest } from '../../generated/charge/v1/charge_service.ts';
import { ListPricesRequest, type ListPricesResponse } from '../../generated/charge/v1/price_service.ts';
import {
  ApiKey,
  type CreateApiKeyResponse,
  Tenant,
  TenantServiceClient,
} from '../../generated/charge/v1/tenant_service.ts';
import {
  type QueryUsageResponse,
  UsageQuery,
  UsageServiceClient,
} from '../../generated/charge/v1/usage_service.ts';
import { SCOPES } from '../../src/grpc/principal.ts';
import { OPEN } from '../../src/tenants/credentials/settings.ts';
import { card, openPriceClient, type PriceClient, priceRequest } from '../prices/support/client.ts';
import { failureOf } from '../support/errors.ts';
import { call, openTestServer, type TestServer } from '../support/server.ts';
import { openTestStore, type TestStore } from '../support/store.ts';
import { addKey, bearer, createWith } from './support/credentials.ts';

let store: TestStore;
let server: TestServer;
let tenants: TenantServiceClient;
let usage: UsageServiceClient;
let prices: PriceClient;
let operator: Metadata;
beforeAll(async () => {
  store = await openTestStore();
  server = await openTestServer(store.url, { credentials: { ...OPEN, required: true } });
  tenants = new TenantServiceClient(server.address, ChannelCredentials.createInsecure());
  usage = new UsageServiceClient(server.address, ChannelCredentials.createInsecure());
  prices = openPriceClient(server.address);
  operator = bearer((await addKey(store.url, { tenant: 'default', scopes: SCOPES })).key);
});
afterAll(async () => {
  for (const client of [tenants, usage, prices.raw]) client.close();
  await server.close();
  await store.close();
});

/** Creates a tenant and a key of it, as an operator does. */
async function createTenant(id: string): Promise<Metadata> {
  await call((done) => tenants.createTenant({ tenant: Tenant.fromPartial({ id }) }, operator, done));
  const scopes = [Scope.SCOPE_RECORD, Scope.SCOPE_READ, Scope.SCOPE_PRICE, Scope.SCOPE_CORRECT];
  const apiKey = { ...ApiKey.fromPartial({}), scopes };
  const { key } = await call<CreateApiKeyResponse>((done) =>
    tenants.createApiKey({ tenantId: id, apiKey }, operator, done),
  );
  return bearer(key);
}

const addPrice = (requestId: string, nanosPerMillion: bigint, metadata: Metadata) => {
  const basis = card({ 1: nanosPerMillion, 2: nanosPerMillion });
  return call((done) => prices.raw.createPrice(priceRequest(requestId, { basis }), metadata, done));
};
const listOf = async (metadata: Metadata) =>
  (
    await call<ListChargesResponse>((done) =>
      server.client.listCharges(ListChargesRequest.fromPartial({}), metadata, done),
    )
  ).charges.map(({ id }) => id);
const usageOf = (metadata: Metadata) =>
  call<QueryUsageResponse>((done) => {
    const query = UsageQuery.fromPartial({ groupBy: [1] });
    return usage.queryUsage({ query, pageSize: 0, pageToken: '' }, metadata, done);
  });

/** The first events of the journal of the caller. */
async function watched(count: number, metadata: Metadata): Promise<WatchChargesResponse[]> {
  const stream = server.client.watchCharges({ startSequence: 1n, filter: undefined }, metadata);
  const events: WatchChargesResponse[] = [];
  stream.on('error', () => undefined);
  for await (const event of stream) {
    if (events.push(event as WatchChargesResponse) === count) break;
  }
  stream.cancel();
  return events;
}

test('a new tenant records, prices, sums up and watches with nothing but its key', async () => {
  const key = await createTenant('newcomer');
  expect(await listOf(key)).toEqual([]);
  await addPrice('price', 2_000_000_000n, key);
  const { charge } = await createWith(server.client, 'first', key);
  // 418 tokens at 2 USD a million.
  expect(charge?.cost?.amount).toMatchObject({ currencyCode: 'USD', nanos: 836_000n });
  expect(await listOf(key)).toEqual([charge?.id]);
  const { rows, asOfSequence } = await usageOf(key);
  expect(rows.map(({ group, charges }) => [group?.userProfile, charges])).toEqual([['alice', 1n]]);
  expect(asOfSequence).toBe(1n);
  const [event] = await watched(1, key);
  expect(event).toMatchObject({
    event: { value: { sequence: 1n, tenant: 'newcomer', charge: { id: charge?.id } } },
  });
});

test('two tenants with the same ids and models do not meet', async () => {
  const [left, right] = [await createTenant('left'), await createTenant('right')];
  await addPrice('price', 1_000_000_000n, left);
  await addPrice('price', 3_000_000_000n, right);
  const record = async (metadata: Metadata) => {
    const responses = await Promise.all(
      Array.from({ length: 20 }, (_, n) => createWith(server.client, `same-${n}`, metadata)),
    );
    expect(responses.some(({ replayed }) => replayed)).toBe(false);
    return responses.map(({ charge }) => charge);
  };
  const [ofLeft, ofRight] = await Promise.all([record(left), record(right)]);
  const sides = [
    [left, ofLeft, ofRight, 418_000n],
    [right, ofRight, ofLeft, 1_254_000n],
  ] as const;
  for (const [key, own, others, nanos] of sides) {
    const ids = new Set(own.map((charge) => charge?.id));
    expect(own.map((charge) => charge?.cost?.amount?.nanos)).toEqual(own.map(() => nanos));
    expect(new Set(await listOf(key))).toEqual(ids);
    expect((await usageOf(key)).rows.map(({ charges }) => charges)).toEqual([20n]);
    const events = await watched(20, key);
    const created = events.map(({ event }) => (event?.$case === 'chargeCreated' ? event.value : undefined));
    expect(created.map((event) => event?.sequence)).toEqual(own.map((_, index) => BigInt(index + 1)));
    const seen = created.map((event) => event?.charge?.id);
    expect(new Set(seen)).toEqual(ids);
    const listed = await call<ListPricesResponse>((done) =>
      prices.raw.listPrices({ ...ListPricesRequest.fromPartial({}), allVersions: true }, key, done),
    );
    expect(listed.prices).toHaveLength(1);
    const value = others[0]?.id ?? '';
    const missing = { code: 'NOT_FOUND', reason: 'CHARGE_NOT_FOUND' };
    const read = call((done) => server.client.getCharge({ key: { $case: 'id', value } }, key, done));
    expect(await failureOf(read)).toMatchObject(missing);
    const request = { key: { $case: 'id', value } as const, requestId: 'void', reason: 'not mine' };
    const voided = call((done) =>
      server.client.voidCharge({ ...request, allowClosedPeriod: false }, key, done),
    );
    expect(await failureOf(voided)).toMatchObject(missing);
  }
});
