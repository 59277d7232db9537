/** Charges priced through the front door while prices change: the cases of a price list over a year. */

import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';

import type { Charge } from '../../../generated/charge/v1/charge.ts';
import type { CreateChargeResponse } from '../../../generated/charge/v1/charge_service.ts';
import { CostStatus, UnpricedReason } from '../../../generated/charge/v1/money.ts';
import { call, createRequest, errorOf } from '../../support/server.ts';
import {
  alias,
  at,
  card,
  openPriceFixture,
  type PriceFixture,
  type PriceOptions,
  priceRequest,
} from '../support/client.ts';

let fixture: PriceFixture;
beforeAll(async () => {
  fixture = await openPriceFixture();
});
afterAll(() => fixture.close());

/** Each test has models and request ids of its own, and counts versions from its start. */
let nth = 0;
let before = 0;
beforeEach(async () => {
  nth++;
  before = (await fixture.stored()).head;
});
const modelOf = (name: string) => `${name}-${nth}`;
const versionAt = (place: number) => BigInt(before + place);
const MODEL = 'gpt-5.6-sol';
/** Input, cache read, output. */
const OLD = card({ 1: 5_000_000_000n, 3: 500_000_000n, 2: 30_000_000_000n });
const NEW = card({ 1: 4_000_000_000n, 3: 400_000_000n, 2: 20_000_000_000n });
const OLD_COST = 53_000_000n;
const NEW_COST = 38_400_000n;

const addPrice = (id: string, options: PriceOptions) =>
  fixture.client.create(
    priceRequest(`${nth}-${id}`, {
      ...options,
      key: { ...options.key, model: modelOf(options.key?.model ?? MODEL) },
    }),
  );

async function record(id: string, charge: Partial<Charge> = {}): Promise<CreateChargeResponse> {
  const tokenDetails = {
    cacheReadTokens: 6000n,
    cacheWrite5mTokens: 0n,
    cacheWrite1hTokens: 0n,
    reasoningTokens: 0n,
    audioInputTokens: 0n,
    audioOutputTokens: 0n,
    imageInputTokens: 0n,
    imageOutputTokens: 0n,
  };
  const used = { promptTokens: 10_000n, completionTokens: 1000n, tokenDetails };
  return call((done) =>
    fixture.servers[0]!.client.createCharge(
      createRequest(`${nth}-${id}`, { ...used, ...charge, model: modelOf(charge.model ?? MODEL) }),
      done,
    ),
  );
}

/** The amount and the version of a charge's cost. */
async function costOf(requestId: string, charge: Partial<Charge> = {}) {
  const { cost } = (await record(requestId, charge)).charge!;
  return { nanos: cost?.amount?.nanos, version: cost?.priceVersion };
}

test('a price change at midnight: the last microsecond and the first', async () => {
  await addPrice('1', { from: at('2026-01-01T00:00:00Z'), basis: OLD });
  await addPrice('2', { from: at('2026-08-21T00:00:00Z'), basis: NEW, allowPast: true });
  const midnight = at('2026-08-21T00:00:00Z');
  const before = { seconds: midnight.seconds - 1n, nanos: 999_999_999 };

  expect(await costOf('a', { usageTime: before })).toEqual({ nanos: OLD_COST, version: versionAt(1) });
  expect(await costOf('b', { usageTime: midnight })).toEqual({ nanos: NEW_COST, version: versionAt(2) });
  // Late charges have the price of their usage time, and those before every price have none.
  expect(await costOf('c', { usageTime: at('2026-08-01T00:00:00Z') })).toEqual({
    nanos: OLD_COST,
    version: versionAt(1),
  });
  const { cost } = (await record('d', { usageTime: at('2025-12-31T23:59:59Z') })).charge!;
  expect(cost).toMatchObject({
    status: CostStatus.COST_STATUS_UNPRICED,
    amount: undefined,
    priceVersion: 0n,
    unpricedReason: UnpricedReason.UNPRICED_REASON_NO_PRICE,
  });
});

test('a price that takes effect in the future waits until then', async () => {
  await addPrice('1', { from: at('2026-01-01T00:00:00Z'), basis: OLD });
  await addPrice('2', { from: at(new Date(Date.now() + 3_600_000).toISOString()), basis: NEW });

  expect(await costOf('a')).toEqual({ nanos: OLD_COST, version: versionAt(1) });
  const later = at(new Date(Date.now() + 2 * 3_600_000).toISOString());
  expect(await costOf('b', { usageTime: later })).toEqual({ nanos: NEW_COST, version: versionAt(2) });
});

test('a replay after the price changed is the same charge at its frozen cost', async () => {
  await addPrice('1', { from: at('2026-01-01T00:00:00Z'), basis: OLD });
  const first = await record('e');
  await addPrice('2', { basis: NEW });

  expect(await record('e')).toEqual({ ...first, replayed: true });
  expect(first.charge?.cost?.amount).toEqual({ currencyCode: 'USD', nanos: OLD_COST });
});

test('a price in the past is refused unless asked for, and changes no recorded cost', async () => {
  await addPrice('1', { from: at('2026-01-01T00:00:00Z'), basis: OLD });
  const usageTime = at('2026-08-25T00:00:00Z');
  const first = await record('f', { usageTime });
  const change = { from: at('2026-08-21T00:00:00Z'), basis: NEW };

  expect(await errorOf(addPrice('2', change))).toMatchObject({
    code: 'FAILED_PRECONDITION',
    reason: 'EFFECTIVE_TIME_PAST',
  });
  await addPrice('2', { ...change, allowPast: true });
  expect((await record('f', { usageTime })).charge).toEqual(first.charge);
  expect(await costOf('g', { usageTime })).toEqual({ nanos: NEW_COST, version: versionAt(2) });
});

test('of two versions with one effective time, the later one is in force', async () => {
  await addPrice('1', { from: at('2026-01-01T00:00:00Z'), basis: OLD });
  const change = { from: at('2026-08-21T00:00:00Z'), allowPast: true };
  await addPrice('2', { ...change, basis: NEW });
  await addPrice('3', { ...change, basis: OLD });

  expect(await costOf('i', { usageTime: change.from })).toEqual({ nanos: OLD_COST, version: versionAt(3) });
});

test('aliases, withdrawn prices and reported costs', async () => {
  await addPrice('1', { basis: OLD });
  await addPrice('2', { key: { model: 'latest' }, basis: alias(modelOf(MODEL)) });
  await addPrice('3', { key: { model: 'old' }, basis: { $case: 'withdrawn', value: {} } });
  await addPrice('4', { key: { model: 'routed' }, basis: { $case: 'reported', value: {} } });
  const reportedCost = { currencyCode: 'EUR', nanos: 950_000n };

  expect(await costOf('a', { model: 'latest' })).toEqual({ nanos: OLD_COST, version: versionAt(1) });
  expect((await record('b', { model: 'old' })).charge?.cost).toMatchObject({
    status: CostStatus.COST_STATUS_UNPRICED,
    unpricedReason: UnpricedReason.UNPRICED_REASON_WITHDRAWN,
    priceVersion: versionAt(3),
  });
  expect((await record('c', { model: 'routed', reportedCost })).charge?.cost).toMatchObject({
    amount: reportedCost,
    priceVersion: versionAt(4),
  });
  expect((await record('d', { model: 'routed' })).charge?.cost?.unpricedReason).toBe(
    UnpricedReason.UNPRICED_REASON_NO_REPORTED_COST,
  );
  expect((await record('e', { completionTokens: 0n, serviceTier: 2 })).charge?.cost?.unpricedReason).toBe(
    UnpricedReason.UNPRICED_REASON_NO_PRICE,
  );
});

test('a kind without a rate is named', async () => {
  await addPrice('1', { basis: card({ 1: 1n }) });

  expect((await record('a')).charge?.cost).toMatchObject({
    unpricedReason: UnpricedReason.UNPRICED_REASON_MISSING_RATE,
    unpricedKinds: [2, 3],
    priceVersion: versionAt(1),
  });
});
