/** ListPrices: what is in force, all versions, pages. */

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import type { ListPricesRequest } from '../../../generated/charge/v1/price_service.ts';
import { errorOf } from '../../support/server.ts';
import {
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
  let rate = 0n;
  const add = (model: string, from: string, options: PriceOptions = {}) =>
    client.create(
      priceRequest(`${model} ${from} ${++rate}`, {
        basis: card({ 1: rate }),
        from: at(from),
        allowPast: true,
        ...options,
        key: { model, ...options.key },
      }),
    );
  await add('gpt-4o', '2026-01-01T00:00:00Z'); // 1
  await add('gpt-4o', '2026-08-21T00:00:00Z'); // 2
  await add('gpt-4o', '2026-08-21T00:00:00Z'); // 3
  await add('gpt-4o', '2099-01-01T00:00:00Z'); // 4
  await add('gpt-4o-mini', '2026-01-01T00:00:00Z'); // 5
  await add('gpt-4o', '2026-01-01T00:00:00Z', { key: { region: 'eu' } }); // 6
  await add('claude', '2026-03-01T00:00:00Z', { key: { provider: 4 } }); // 7
  await add('gpt-4o-', '2026-01-01T00:00:00Z', { key: { modelMatch: 2 } }); // 8
});
afterAll(() => fixture.close());

const versionsOf = async (request: Partial<ListPricesRequest>) =>
  (await client.list(request)).prices.map(({ version }) => Number(version));

describe('the versions', () => {
  test.each<[string, Partial<ListPricesRequest>, number[]]>([
    ['in force now', {}, [8, 7, 6, 5, 3]],
    ['in force before a change', { effectiveAt: at('2026-08-20T23:59:59.999Z') }, [8, 7, 6, 5, 1]],
    ['in force at the moment of a change', { effectiveAt: at('2026-08-21T00:00:00Z') }, [8, 7, 6, 5, 3]],
    ['in force in the future', { effectiveAt: at('2099-01-01T00:00:00Z') }, [8, 7, 6, 5, 4]],
    ['in force before all', { effectiveAt: at('2025-12-31T23:59:59Z') }, []],
    ['of a provider', { provider: 4 }, [7]],
    ['of models that begin alike', { modelPrefix: 'gpt-4o-' }, [8, 5]],
    ['of all times', { allVersions: true }, [8, 7, 6, 5, 4, 3, 2, 1]],
    [
      'of all times, whatever moment',
      { allVersions: true, effectiveAt: at('2000-01-01T00:00:00Z') },
      [8, 7, 6, 5, 4, 3, 2, 1],
    ],
  ])('%s', async (_, request, expected) => {
    expect(await versionsOf(request)).toEqual(expected);
  });
});

test('pages hold every version once, also if versions are added in between', async () => {
  const first = await client.list({ pageSize: 2 });
  // It takes the place of version 3, which the list must show all the same.
  await client.create(priceRequest('in between', { basis: card({ 1: 999n }) }));
  const second = await client.list({ pageSize: 2, pageToken: first.nextPageToken });
  const third = await client.list({ pageSize: 3, pageToken: second.nextPageToken });

  const pages = [first, second, third].map(({ prices }) => prices.map(({ version }) => Number(version)));
  expect(pages).toEqual([[8, 7], [6, 5], [3]]);
  expect(third.nextPageToken).toBe('');
  expect((await client.list({ pageSize: 5 })).nextPageToken).toBe('');
});

test('a page token of another list is refused', async () => {
  const { nextPageToken } = await client.list({ pageSize: 1 });
  const others: Partial<ListPricesRequest>[] = [
    { provider: 1 },
    { modelPrefix: 'gpt' },
    { allVersions: true },
    { effectiveAt: at('2026-08-21T00:00:00Z') },
    { pageToken: `${nextPageToken}A` },
    { pageToken: 'x' },
  ];
  for (const other of others) {
    const error = await errorOf(client.list({ pageToken: nextPageToken, ...other }));
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', reason: 'PAGE_TOKEN_INVALID' });
  }
  expect((await errorOf(client.list({ pageSize: -1 }))).violations).toMatchObject([{ field: 'page_size' }]);
});

test('a page ends before 1 MiB', async () => {
  const text = '😀'.repeat(255);
  const requests = Array.from({ length: 600 }, (_, i) =>
    priceRequest(`large ${i}`, { key: { model: `large ${i}`.padEnd(255, '.') }, source: text, note: text }),
  );
  await client.createBatch(...requests);
  let pageToken = '';
  const sizes: number[] = [];
  do {
    const page = await client.list({ modelPrefix: 'large', pageSize: 1000, pageToken });
    sizes.push(page.prices.length);
    ({ nextPageToken: pageToken } = page);
  } while (pageToken !== '');
  expect(sizes.reduce((sum, size) => sum + size)).toBe(600);
  expect(sizes.length).toBe(2);
});
