/** ListCharges: pages, tokens, filters. */

import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';

import {
  ChargeFilter,
  ListChargesRequest,
  ListChargesResponse,
} from '../../../generated/charge/v1/charge_service.ts';
import { call, chargeRequest, failureOf, type Fixture, startServer } from '../../grpc/support/server.ts';

let fixture: Fixture;
beforeEach(async () => {
  fixture = await startServer();
});
afterEach(() => fixture.close());

type Query = Partial<Omit<ListChargesRequest, 'filter'>> & { filter?: Partial<ChargeFilter> };

const list = (query: Query): Promise<ListChargesResponse> => {
  const { filter, ...rest } = query;
  const request = { ...ListChargesRequest.fromPartial({}), ...rest };
  if (filter !== undefined) request.filter = { ...ChargeFilter.fromPartial({}), ...filter };
  return call(fixture.client, 'listCharges', request);
};

async function record(count: number, charge: Parameters<typeof chargeRequest>[1] = {}): Promise<void> {
  for (let from = 0; from < count; from += 1000) {
    const ids = Array.from({ length: Math.min(1000, count - from) }, (_, i) => `r-${from + i}`);
    const requests = ids.map((id) => chargeRequest(id, charge));
    await call(fixture.client, 'batchCreateCharges', { requests });
  }
}

async function allPages(pageSize: number): Promise<{ ids: string[]; pages: number }> {
  const ids: string[] = [];
  let pages = 0;
  let pageToken = '';
  do {
    const page = await list({ pageSize, pageToken });
    ids.push(...page.charges.map(({ id }) => id));
    pageToken = page.nextPageToken;
    pages++;
  } while (pageToken !== '');
  return { ids, pages };
}

test('pages hold every charge once, and the last one has no token', async () => {
  await record(7);
  expect(await list({})).toMatchObject({ nextPageToken: '', charges: { length: 7 } });
  const { ids, pages } = await allPages(3);
  expect(pages).toBe(3);
  expect(ids).toEqual(fixture.journal.entries.map(({ charge }) => charge.id).reverse());
  // A page that ends where the list ends is the last one.
  expect((await list({ pageSize: 7 })).nextPageToken).toBe('');
});

test('the page size has a default and a maximum', async () => {
  await record(1500);
  expect((await list({})).charges).toHaveLength(100);
  expect((await list({ pageSize: 2_000_000_000 })).charges).toHaveLength(1000);
  expect(fixture.journal.queries.map(({ limit }) => limit)).toEqual([100, 1000]);
  expect((await failureOf(list({ pageSize: -1 }))).violations[0]).toMatchObject({ field: 'page_size' });
});

test('a page ends before 1 MiB', async () => {
  const long = '😀'.repeat(255);
  const labels = new Map(Array.from({ length: 16 }, (_, i) => [`k${i}`, long]));
  await record(160, { userProfile: long, sessionKey: long, model: long, reference: long, labels });
  const first = await list({ pageSize: 1000 });
  const bytes = ListChargesResponse.encode(first).finish().length;
  expect(bytes).toBeLessThanOrEqual(1024 * 1024);
  // One more would not fit.
  expect(bytes + bytes / first.charges.length).toBeGreaterThan(1024 * 1024);
  expect(first.nextPageToken).not.toBe('');
  const { ids, pages } = await allPages(1000);
  expect(new Set(ids).size).toBe(160);
  expect(ids).toHaveLength(160);
  expect(pages).toBe(Math.ceil(160 / first.charges.length));
});

test('a page without a charge goes on where the store stopped', async () => {
  const next = { usageTimeMicros: 5n, id: '0190a0e0-0000-0000-0000-000000000000' };
  const store = jest.spyOn(fixture.journal, 'list').mockResolvedValueOnce({ charges: [], next });
  const first = await list({});
  expect(first.charges).toEqual([]);
  expect(first.nextPageToken).not.toBe('');
  await list({ pageToken: first.nextPageToken });
  expect(store.mock.lastCall?.[1].after).toEqual(next);
});

test('a token belongs to its filter and order', async () => {
  await record(4);
  const { nextPageToken: pageToken } = await list({ pageSize: 2 });
  expect((await list({ pageSize: 1, pageToken })).charges).toHaveLength(1);
  const others: Query[] = [{ filter: { model: 'x' } }, { order: 2 }, { pageToken: `${pageToken}A` }];
  for (const other of others) {
    const error = await failureOf(list({ pageSize: 2, pageToken, ...other }));
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', reason: 'PAGE_TOKEN_INVALID' });
  }
  // An empty filter, and the default order by name, are the same list.
  await list({ pageToken, filter: {}, order: 1 });
});

test('the filter and the order reach the store', async () => {
  await list({
    order: 2,
    filter: {
      userProfile: 'u',
      provider: 3,
      labels: new Map([['team', 'search']]),
      startTime: { seconds: 1n, nanos: 1999 },
      endTime: { seconds: 2n, nanos: 0 },
    },
  });
  expect(fixture.journal.queries[0]).toEqual({
    order: 'oldest_first',
    includeCorrected: false,
    limit: 100,
    after: undefined,
    filter: {
      userProfile: 'u',
      sessionKey: undefined,
      provider: 3,
      chargeType: undefined,
      model: undefined,
      reference: undefined,
      importId: undefined,
      labels: new Map([['team', 'search']]),
      startTimeMicros: 1_000_001n,
      endTimeMicros: 2_000_000n,
    },
  });
});

test.each<[string, Partial<ChargeFilter>, string]>([
  [
    'filter',
    { startTime: { seconds: 2n, nanos: 0 }, endTime: { seconds: 2n, nanos: 0 } },
    'charge_filter.time_range',
  ],
  ['filter.end_time', { endTime: { seconds: 253_402_300_800n, nanos: 0 } }, 'timestamp.well_formed'],
  ['filter.start_time', { startTime: { seconds: 0n, nanos: -1 } }, 'timestamp.well_formed'],
  ['filter.model', { model: '\0' }, 'string.pattern'],
  ['filter.provider', { provider: 19 as never }, 'enum.defined_only'],
])('%s is refused if it breaks %j', async (field, filter, rule) => {
  const error = await failureOf(list({ filter }));
  expect(error.violations.map((violation) => [violation.field, violation.reason])).toEqual([[field, rule]]);
});

test('a request far larger than any valid one is refused before its rules are run', async () => {
  const error = await failureOf(list({ filter: { model: 'x'.repeat(100_000) } }));
  expect(error).toMatchObject({ reason: 'MESSAGE_TOO_LARGE', metadata: { limit_bytes: '65536' } });
});
