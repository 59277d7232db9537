/** BatchCreatePrices: all or none. */

import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';

import {
  BatchCreatePricesRequest,
  type CreatePriceRequest,
} from '../../../generated/charge/v1/price_service.ts';
import { errorOf } from '../../support/server.ts';
import { actsOf } from '../../tenants/support/audit.ts';
import {
  alias,
  at,
  card,
  openPriceFixture,
  type PriceClient,
  type PriceFixture,
  type PriceOptions,
  priceRequest,
} from '../support/client.ts';

let fixture: PriceFixture;
let client: PriceClient;
beforeAll(async () => {
  fixture = await openPriceFixture();
  ({ client } = fixture);
});
afterAll(() => fixture.close());

/** Each test has request ids and a region of its own, because prices are never removed. */
let nth = 0;
let before = { versions: 0, head: 0 };
let batchesBefore = 0;
beforeEach(async () => {
  nth++;
  before = await fixture.stored();
  batchesBefore = (await batchesOf()).length;
});
const requestOf = (id: string, model: string, options: PriceOptions = {}) =>
  priceRequest(id && `${nth}-${id}`, { ...options, key: { model, region: String(nth), ...options.key } });
/** What is stored after `count` more versions. */
const more = (count: number) => ({ versions: before.versions + count, head: before.head + count });
/** What the audit log says of batches, in this test. */
const audited = async () => (await batchesOf()).slice(batchesBefore);
const batchesOf = () => actsOf('PriceService/BatchCreatePrices', fixture.servers[0]?.address ?? '');
const versionAt = (place: number) => BigInt(before.head + place);

test('versions are numbered in the order of the requests, and a repeated batch adds none', async () => {
  const requests = Array.from({ length: 1000 }, (_, i) =>
    requestOf(`r${i}`, `m${i % 500}`, { basis: card({ 1: BigInt(i) }) }),
  );
  const first = await client.createBatch(...requests);

  expect(first.responses.map(({ price }) => price?.version)).toEqual(
    requests.map((_, i) => versionAt(i + 1)),
  );
  expect(first.responses.some(({ replayed, unchanged }) => replayed || unchanged)).toBe(false);
  expect(await fixture.stored()).toEqual(more(1000));
  const again = await client.createBatch(...requests);
  expect(again.responses).toEqual(first.responses.map((response) => ({ ...response, replayed: true })));
  expect(await fixture.stored()).toEqual(more(1000));
  expect(await audited()).toEqual([[`${versionAt(1)}-${versionAt(1000)}`, { versions: '1000' }]]);
});

test('a request sees the ones before it', async () => {
  const { responses } = await client.createBatch(
    requestOf('a', 'm'),
    requestOf('a', 'm'),
    requestOf('b', 'm'),
    requestOf('c', 'm', { basis: card({ 1: 5n }) }),
    requestOf('d', 'm', { basis: card({ 1: 5n }) }),
  );

  expect(responses.map(({ price, replayed, unchanged }) => [price?.version, replayed, unchanged])).toEqual([
    [versionAt(1), false, false],
    [versionAt(1), true, false],
    [versionAt(1), false, true],
    [versionAt(2), false, false],
    [versionAt(2), false, true],
  ]);
  expect(await fixture.stored()).toEqual(more(2));
  expect(await audited()).toEqual([[`${versionAt(1)}-${versionAt(2)}`, { versions: '2' }]]);
});

test.each<[string, () => CreatePriceRequest, () => Record<string, string>]>([
  [
    'REQUEST_ID_REUSED',
    () => requestOf('a', 'm', { note: 'x' }),
    () => ({ field: 'price.note', version: String(versionAt(1)) }),
  ],
  [
    'EFFECTIVE_TIME_PAST',
    () => requestOf('z', 'm', { from: at('2020-01-01T00:00:00Z') }),
    () => ({ version: String(versionAt(1)) }),
  ],
  ['ALIAS_CHAIN', () => requestOf('z', 'o', { basis: alias('n') }), () => ({ model: 'n' })],
  ['VALIDATION_FAILED', () => requestOf('z', 'm', { basis: card({}) }), () => ({})],
])('%s refuses all, and names the request', async (reason, bad, metadata) => {
  const good = [requestOf('a', 'm'), requestOf('b', 'n', { basis: alias('m') })];
  const error = await errorOf(client.createBatch(...good, bad(), requestOf('y', 'y')));

  expect(error).toMatchObject({ reason, metadata: { ...metadata(), index: '2' } });
  expect(await fixture.stored()).toEqual(before);
  expect(await audited()).toEqual([]);
  // What was decided before the refusal is forgotten.
  const { responses } = await client.createBatch(...good);
  expect(responses.map(({ price, replayed }) => [price?.version, replayed])).toEqual([
    [versionAt(1), false],
    [versionAt(2), false],
  ]);
});

test('violated rules are named by the place of the request', async () => {
  const error = await errorOf(
    client.createBatch(requestOf('a', 'm'), requestOf('', 'm', { basis: card({ 1: -1n }) })),
  );

  expect(error.violations.map(({ field }) => field).sort()).toEqual([
    'requests[1].price.rate_card.rates[0].nanos_per_million',
    'requests[1].request_id',
  ]);
});

test.each([
  ['no request', 0, 'repeated.min_items'],
  ['1001 requests', 1001, 'repeated.max_items'],
])('%s breaks a rule', async (_, count, rule) => {
  const requests = Array.from({ length: count }, (_, i) => requestOf(`r${i}`, 'm'));
  const error = await errorOf(client.createBatch(...requests));

  expect(error.reason).toBe('VALIDATION_FAILED');
  expect(error.violations).toEqual([{ field: 'requests', rule }]);
  expect(await fixture.stored()).toEqual(before);
});

test('a batch may have 4 MiB, and no more', async () => {
  const large = (count: number) =>
    Array.from({ length: count }, (_, i) => requestOf(`r${i}`, 'm', { note: 'x'.repeat(250) }));
  const size = BatchCreatePricesRequest.encode({ requests: large(1) }).finish().length;
  const tooMany = Math.ceil((4 * 1024 * 1024) / size) + 1;

  expect((await errorOf(client.createBatch(...large(tooMany)))).reason).toBe('MESSAGE_TOO_LARGE');
});

test('other calls are answered while a batch of aliases is compared with one another', async () => {
  const requests = Array.from({ length: 1000 }, (_, i) =>
    requestOf(`a${i}`, `a${i}`, { basis: alias(`t${i}`) }),
  );
  let isOver = false;
  const batch = client.createBatch(...requests).finally(() => (isOver = true));
  // If the batch kept the process busy, it would answer the first of them after the batch.
  let answered = 0;
  for (; !isOver; answered++) await client.list({ pageSize: 1 });
  expect((await batch).responses).toHaveLength(1000);
  expect(answered).toBeGreaterThan(5);
});
