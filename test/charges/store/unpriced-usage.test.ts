/** What has no cost, counted by what a price would need to name. */

import { afterAll, beforeAll, expect, test } from '@jest/globals';

import type { UnpricedUsageReader } from '../../../src/charges/ports.ts';
import { createUnpricedUsageReader } from '../../../src/charges/store/unpriced-usage.ts';
import { END, RepriceStore, START, TENANT } from '../support/reprice.ts';

let book: RepriceStore;
let reader: UnpricedUsageReader;
beforeAll(async () => {
  book = await RepriceStore.open();
  reader = createUnpricedUsageReader(book.store.reads);
});
afterAll(() => book.close());

const ALWAYS = { startTimeMicros: undefined, endTimeMicros: undefined };

test('a tenant without charges has nothing', async () => {
  const nothing = { usages: [], pricedCharges: 0n, unpricedCharges: 0n };
  expect(await reader.read(TENANT, ALWAYS, 10)).toEqual(nothing);
});

test('charges that count are grouped with their current reason, the most first', async () => {
  await book.addPrice({ model: 'incomplete', rates: { 1: '1' } });
  await book.addPrice({ model: 'priced', rates: { 1: '1', 2: '1' } });
  const cached = { cacheReadTokens: 3n, cacheWrite5mTokens: 0n, cacheWrite1hTokens: 0n };
  const others = { reasoningTokens: 0n, audioInputTokens: 0n, audioOutputTokens: 0n };
  const images = { imageInputTokens: 0n, imageOutputTokens: 0n };
  const recorded = await book.record('a', [
    { model: 'none' },
    { model: 'none', serviceTier: 2, region: 'eu' },
    { model: 'none' },
    { model: 'incomplete' },
    { model: 'incomplete', tokenDetails: { ...cached, ...others, ...images } },
    { model: 'incomplete' },
    { model: 'priced' },
    { model: 'later' },
    { model: 'none', provider: 100, otherProvider: 'me' },
    { model: 'none' },
  ]);
  await book.addPrice({ model: 'later', rates: { 1: '1', 2: '1' } });
  await book.reprice();
  await book.void([recorded[9]?.id ?? '']);

  const none = { provider: 1, otherProvider: '', chargeType: 1, model: 'none', serviceTier: 1, region: '' };
  const at = (index: number) => START + BigInt(index) * 1_000_000n;
  const first = (index: number, last = index) => ({
    firstUsageTimeMicros: at(index),
    lastUsageTimeMicros: at(last),
  });
  const noPrice = { unpricedReason: 1, unpricedKinds: 0 };
  const missing = { unpricedReason: 2, unpricedKinds: (1 << 2) | (1 << 3) };
  const usages = [
    { ...none, model: 'incomplete', ...missing, charges: 3n, ...first(3, 5) },
    { ...none, ...noPrice, charges: 2n, ...first(0, 2) },
    { ...none, serviceTier: 2, region: 'eu', ...noPrice, charges: 1n, ...first(1) },
    { ...none, provider: 100, otherProvider: 'me', ...noPrice, charges: 1n, ...first(8) },
  ];
  const all = { pricedCharges: 2n, unpricedCharges: 7n };
  expect(await reader.read(TENANT, ALWAYS, 10)).toEqual({ usages, ...all });
  expect(await reader.read(TENANT, ALWAYS, 1)).toEqual({ usages: usages.slice(0, 1), ...all });
  expect(await reader.read(TENANT, { startTimeMicros: at(6), endTimeMicros: END }, 10)).toEqual({
    usages: usages.slice(3),
    pricedCharges: 2n,
    unpricedCharges: 1n,
  });
  expect(await reader.read(TENANT, { ...ALWAYS, endTimeMicros: at(1) }, 10)).toMatchObject({
    usages: [{ charges: 1n, ...first(0) }],
    unpricedCharges: 1n,
  });
});
