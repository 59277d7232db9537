/** CreatePrice and GetPrice: what is stored, replays, refusals. */

import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';

import {
  type CreatePriceRequest,
  ModelMatch,
  type PriceKey,
} from '../../../generated/charge/v1/price_service.ts';
import { ServiceTier } from '../../../generated/charge/v1/money.ts';
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
  ratesOf,
} from '../support/client.ts';

let fixture: PriceFixture;
let client: PriceClient;
beforeAll(async () => {
  fixture = await openPriceFixture();
  ({ client } = fixture);
});
afterAll(() => fixture.close());

/** A model and request ids of its own for each test, because prices are never removed. */
let nth = 0;
let model = '';
beforeEach(() => {
  model = `model-${++nth}`;
});
const requestOf = (id: string, options: PriceOptions = {}): CreatePriceRequest =>
  priceRequest(`${nth}-${id}`, { ...options, key: { model, ...options.key } });

const audited = () => actsOf('PriceService/CreatePrice', fixture.servers[0]?.address ?? '');

/** The error of a request, after a look that it stored nothing. */
async function refusalOf(request: CreatePriceRequest) {
  const before = [await fixture.stored(), await audited()];
  const error = await errorOf(client.create(request));
  expect([await fixture.stored(), await audited()]).toEqual(before);
  return error;
}

test('what adds a version has an entry in the audit log; what is repeated or says the same has none', async () => {
  const before = await audited();
  const { price } = await client.create(requestOf('a'));
  expect(await client.create(requestOf('a'))).toMatchObject({ replayed: true });
  expect(await client.create(requestOf('b'))).toMatchObject({ unchanged: true });
  expect(await audited()).toEqual([...before, [String(price?.version), { versions: '1' }]]);
});

test('a version is stored as it was sent, numbered, and found again', async () => {
  const request = requestOf('a', {
    key: {
      provider: 100,
      otherProvider: 'openrouter',
      modelMatch: ModelMatch.MODEL_MATCH_PREFIX,
      serviceTier: ServiceTier.SERVICE_TIER_BATCH,
      region: 'eu',
    },
    from: { seconds: -1n, nanos: 1_999 },
    basis: {
      $case: 'rateCard',
      value: {
        currencyCode: 'EUR',
        rates: ratesOf({ 2: 10n ** 18n, 1: 0n }),
        tiers: [
          { abovePromptTokens: 2n ** 63n - 1n, rates: ratesOf({ 1: 5n, 2: 6n }) },
          { abovePromptTokens: 1n, rates: ratesOf({ 1: 3n, 2: 4n, 26: 7n }) },
        ],
      },
    },
    source: 'https://example.com/prices',
    note: 'é😀',
  });
  const before = await fixture.stored();
  const { price, replayed, unchanged } = await client.create(request);

  expect({ replayed, unchanged }).toEqual({ replayed: false, unchanged: false });
  expect(price).toEqual({
    ...request.price,
    version: BigInt(before.head + 1),
    // Finer digits are cut off; tiers come with the lowest first, rates in the order of the kinds.
    effectiveTime: { seconds: -1n, nanos: 1_000 },
    basis: {
      $case: 'rateCard',
      value: {
        currencyCode: 'EUR',
        rates: ratesOf({ 1: 0n, 2: 10n ** 18n }),
        tiers: [
          { abovePromptTokens: 1n, rates: ratesOf({ 1: 3n, 2: 4n, 26: 7n }) },
          { abovePromptTokens: 2n ** 63n - 1n, rates: ratesOf({ 1: 5n, 2: 6n }) },
        ],
      },
    },
    createTime: expect.objectContaining({}) as object,
  });
  expect((await client.get(price!.version)).price).toEqual(price);
  expect(await fixture.stored()).toEqual({ versions: before.versions + 1, head: before.head + 1 });
});

test.each([
  ['alias', alias('gpt-4o')],
  ['reported', { $case: 'reported' as const, value: {} }],
  ['withdrawn', { $case: 'withdrawn' as const, value: {} }],
])('the basis %s is stored; unspecified enums get their meaning, an absent time is now', async (_, basis) => {
  const before = Date.now();
  const { price } = await client.create(requestOf('a', { basis }));

  expect(price?.basis).toEqual(basis);
  expect(price?.key).toMatchObject({ modelMatch: 1, serviceTier: 1 });
  expect(price?.effectiveTime).toEqual(price?.createTime);
  expect(Number(price?.createTime?.seconds)).toBeGreaterThanOrEqual(Math.floor(before / 1000));
  expect((await client.get(price!.version)).price).toEqual(price);
});

test('a repeated request is replayed, also with an absent time', async () => {
  const first = await client.create(requestOf('a'));
  const again = await client.create(requestOf('a'));

  expect(again).toEqual({ ...first, replayed: true });
});

test.each<[string, PriceOptions, string]>([
  ['key', { key: { region: 'eu' } }, 'price.key.region'],
  ['time', { from: at('2020-01-01T00:00:00Z'), allowPast: true }, 'price.effective_time'],
  ['basis', { basis: alias('x') }, 'price.alias'],
  ['rates', { basis: card({ 1: 2n }) }, 'price.rate_card'],
  ['source', { source: 'x' }, 'price.source'],
  ['note', { note: 'x' }, 'price.note'],
])('a request id with another %s is refused', async (_, other, field) => {
  const { price } = await client.create(requestOf('a'));
  const error = await refusalOf(requestOf('a', other));

  expect(error).toMatchObject({
    code: 'ALREADY_EXISTS',
    reason: 'REQUEST_ID_REUSED',
    metadata: { request_id: `${nth}-a`, field, version: String(price?.version) },
  });
});

test('a version that says what is in force adds nothing, whatever its source', async () => {
  const first = await client.create(requestOf('a', { from: at('2026-01-01T00:00:00Z') }));
  const before = await fixture.stored();

  expect(await client.create(requestOf('b', { source: 'another' }))).toEqual({ ...first, unchanged: true });
  expect(await fixture.stored()).toEqual(before);
  // It would change what is before it.
  const earlier = requestOf('c', { from: at('2025-01-01T00:00:00Z'), allowPast: true });
  expect((await client.create(earlier)).unchanged).toBe(false);
});

describe('a time in the past', () => {
  const past = at('2026-08-21T00:00:00Z');

  test('is for the first version of a key, or on request', async () => {
    const first = await client.create(requestOf('a', { from: at('2026-01-01T00:00:00Z') }));
    const another = { from: past, basis: card({ 1: 5n }) };
    const error = await refusalOf(requestOf('b', another));

    expect(error).toMatchObject({
      code: 'FAILED_PRECONDITION',
      reason: 'EFFECTIVE_TIME_PAST',
      metadata: { version: String(first.price?.version), effective_time: '2026-08-21T00:00:00.000Z' },
    });
    const allowed = await client.create(requestOf('b', { ...another, allowPast: true }));
    expect(allowed).toMatchObject({ replayed: false, unchanged: false });
    expect(allowed.price?.effectiveTime).toEqual(past);
  });

  test('may be up to 5 minutes ago', async () => {
    await client.create(requestOf('a', { from: past }));
    const ago = (seconds: number) => at(new Date(Date.now() - seconds * 1000).toISOString());

    expect((await refusalOf(requestOf('b', { from: ago(330), basis: card({ 1: 5n }) }))).reason).toBe(
      'EFFECTIVE_TIME_PAST',
    );
    await client.create(requestOf('b', { from: ago(270), basis: card({ 1: 5n }) }));
  });
});

describe('an alias of an alias', () => {
  const refused = { code: 'FAILED_PRECONDITION', reason: 'ALIAS_CHAIN' };

  test('is refused from both ends', async () => {
    await client.create(requestOf('a', { key: { model: `${model}-b` }, basis: alias(`${model}-c`) }));

    expect(await refusalOf(requestOf('b', { basis: alias(`${model}-b`) }))).toMatchObject({
      ...refused,
      metadata: { model: `${model}-b` },
    });
    expect(
      await refusalOf(requestOf('c', { key: { model: `${model}-c` }, basis: alias('gpt-4o') })),
    ).toMatchObject({ ...refused, metadata: { model: `${model}-c` } });
    expect(await refusalOf(requestOf('d', { basis: alias(model) }))).toMatchObject(refused);
  });

  test('is refused through a prefix, another region and a later time', async () => {
    const prefix = { model: `${model}-`, modelMatch: ModelMatch.MODEL_MATCH_PREFIX };
    await client.create(requestOf('a', { key: prefix, basis: alias('gpt-4o') }));
    await client.create(
      requestOf('b', { key: { model: 'of-region', region: model }, basis: alias('gpt-4o') }),
    );
    const later = { key: { model: `later${model}` }, from: at('2090-01-01T00:00:00Z') };
    await client.create(requestOf('c', { ...later, basis: alias('gpt-4o') }));

    for (const named of [`${model}-x`, 'of-region', `later${model}`]) {
      expect(await refusalOf(requestOf('d', { basis: alias(named) }))).toMatchObject(refused);
    }
  });

  test('is none if one of the two is over, or of another tier or provider', async () => {
    await client.create(requestOf('a', { basis: alias('gpt-4o') }));
    const other = { key: { model: `${model}-b` }, basis: alias(model) };
    const apart: Partial<PriceKey>[] = [{ serviceTier: 2 }, { provider: 2 }];
    for (const key of apart) {
      await client.create(requestOf(JSON.stringify(key), { ...other, key: { ...other.key, ...key } }));
    }
    await refusalOf(requestOf('b', other));
    await client.create(requestOf('c'));
    await client.create(requestOf('b', other));
  });
});

test.each<[string, CreatePriceRequest, string]>([
  ['no price', { ...priceRequest('v'), price: undefined }, 'price'],
  ['no request id', priceRequest(''), 'request_id'],
  ['an unknown currency', priceRequest('v', { basis: dollars('USB') }), 'price.rate_card.currency_code'],
  [
    'no basis',
    { ...priceRequest('v'), price: { ...priceRequest('v').price!, basis: undefined } },
    'price.basis',
  ],
  [
    'a negative rate',
    priceRequest('v', { basis: card({ 1: -1n }) }),
    'price.rate_card.rates[0].nanos_per_million',
  ],
  [
    'a rate beyond 10^18',
    priceRequest('v', { basis: card({ 1: 10n ** 18n + 1n }) }),
    'price.rate_card.rates[0].nanos_per_million',
  ],
  ['a short prefix', priceRequest('v', { key: { model: 'gpt', modelMatch: 2 } }), 'price.key'],
  ['a provider without its name', priceRequest('v', { key: { provider: 100 } }), 'price.key'],
  ['an alias of nothing', priceRequest('v', { basis: alias('') }), 'price.alias.model'],
  ['a note that is too long', priceRequest('v', { note: 'x'.repeat(256) }), 'price.note'],
  ['a huge note', priceRequest('v', { note: 'x'.repeat(1_000_000) }), 'price.note'],
  [
    'a time before year 1',
    priceRequest('v', { from: { seconds: -62135596801n, nanos: 0 } }),
    'price.effective_time',
  ],
  ['a time that is no time', priceRequest('v', { from: { seconds: 0n, nanos: -1 } }), 'price.effective_time'],
])('%s breaks a rule', async (_, request, field) => {
  const error = await refusalOf(request);

  expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', reason: 'VALIDATION_FAILED' });
  expect(error.violations.map((violation) => violation.field)).toContain(field);
  expect(Buffer.byteLength(error.message)).toBeLessThan(1000);
});

function dollars(currencyCode: string) {
  return { $case: 'rateCard' as const, value: { currencyCode, rates: ratesOf({ 1: 1n }), tiers: [] } };
}

test('what only the server sets is ignored, however malformed', async () => {
  const request = requestOf('a');
  request.price!.version = 77n;
  request.price!.createTime = { seconds: -(2n ** 60n), nanos: -5 };
  const { price } = await client.create(request);

  expect(price?.version).toBe(BigInt((await fixture.stored()).head));
});

test('a version that does not exist is not found', async () => {
  for (const version of [1_000_000n, 2n ** 63n - 1n]) {
    expect(await errorOf(client.get(version))).toMatchObject({
      code: 'NOT_FOUND',
      reason: 'PRICE_NOT_FOUND',
      metadata: { version: String(version) },
    });
  }
  expect((await errorOf(client.get(0n))).reason).toBe('VALIDATION_FAILED');
});
