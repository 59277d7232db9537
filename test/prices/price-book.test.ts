/** Which price version applies. */

import { describe, expect, test } from '@jest/globals';

import { ModelMatch, PriceBook, ServiceTier, UnpricedReason } from '../../src/prices/index.ts';
import { bookOf, byRates, KEY, pricesOf, usageOf } from './support/prices.ts';

const PREFIX = ModelMatch.PREFIX;
const basis = byRates({ 1: 1_000_000n });
const used = { promptTokens: 7n };

/** The number of the version that priced a charge, or the reason why it has no cost. */
function pricedBy(book: PriceBook, usage: Parameters<typeof usageOf>[0]): string {
  const { priceVersion, unpricedReason } = book.costOf(usageOf({ ...used, ...usage }));
  const reason = Object.entries(UnpricedReason).find(([, number]) => number === unpricedReason)?.[0];
  return unpricedReason === 0 ? `version ${priceVersion}` : `${reason} ${priceVersion}`;
}

describe('the model', () => {
  const book = bookOf(
    { key: { model: '' }, basis },
    { key: { model: 'gpt-', modelMatch: PREFIX }, basis },
    { key: { model: 'gpt-4o', modelMatch: PREFIX }, basis },
    { key: { model: 'gpt-4o-mini' }, basis },
    { key: { model: 'gpt-5', region: 'eu' }, basis },
    { key: { model: 'gpt-6', modelMatch: PREFIX }, from: 2_000n, basis },
  );

  test.each([
    ['gpt-4o-mini', 'version 4', 'an equal model'],
    ['gpt-4o-mini-2024', 'version 3', 'the longest prefix'],
    ['gpt-4o', 'version 2', 'a name that ends with the prefix does not have it'],
    ['gpt-4.1', 'version 2', 'a shorter prefix'],
    ['gpt-', 'version 1', 'the name is the prefix'],
    ['claude', 'version 1', 'any model'],
    ['', 'version 1', 'no model'],
    ['gpt-5', 'version 2', 'an equal model of another region does not count'],
    ['gpt-6-pro', 'version 2', 'a longer prefix that is not in force yet does not count'],
  ])('%p is priced by %s: %s', (model, expected) => {
    expect(pricedBy(book, { model })).toBe(expected);
  });

  test('is never a part of a longer name', () => {
    expect(pricedBy(bookOf({ key: { model: 'gpt-4' }, basis }), { model: 'gpt-4.1' })).toBe('NO_PRICE 0');
  });
});

test('the region of the charge is preferred to none, the model to the region', () => {
  const book = bookOf(
    { basis },
    { key: { region: 'eu' }, basis },
    { key: { model: '', region: 'us' }, basis },
    { key: { model: '', region: '' }, basis },
  );

  expect(pricedBy(book, { region: 'eu' })).toBe('version 2');
  expect(pricedBy(book, { region: 'us' })).toBe('version 1');
  expect(pricedBy(book, {})).toBe('version 1');
  expect(pricedBy(book, { model: 'x', region: 'us' })).toBe('version 3');
  expect(pricedBy(book, { model: 'x', region: 'eu' })).toBe('version 4');
});

test('a tier, a charge type or a provider never takes the price of another', () => {
  const book = bookOf({ basis }, { key: { provider: 100, otherProvider: 'a' }, basis });

  expect(pricedBy(book, { serviceTier: ServiceTier.FLEX })).toBe('NO_PRICE 0');
  expect(pricedBy(book, { chargeType: 3 })).toBe('NO_PRICE 0');
  expect(pricedBy(book, { provider: 2 })).toBe('NO_PRICE 0');
  expect(pricedBy(book, { provider: 100, otherProvider: 'a' })).toBe('version 2');
  expect(pricedBy(book, { provider: 100, otherProvider: 'b' })).toBe('NO_PRICE 0');
});

test('the latest effective time until the usage time decides, inclusive; of equal ones the later version', () => {
  const book = bookOf(
    { from: 200n, basis },
    { from: 100n, basis },
    { from: 300n, basis },
    { from: 300n, basis },
  );

  expect(pricedBy(book, { usageTimeMicros: 99n })).toBe('NO_PRICE 0');
  expect(pricedBy(book, { usageTimeMicros: 199n })).toBe('version 2');
  expect(pricedBy(book, { usageTimeMicros: 200n })).toBe('version 1');
  expect(pricedBy(book, { usageTimeMicros: 300n })).toBe('version 4');
  expect(book.inForce(KEY, 299n)?.version).toBe(1);
  expect(book.inForce({ ...KEY, region: 'eu' }, 299n)).toBeUndefined();
  expect(book.versionsOf(KEY).map(({ version }) => version)).toEqual([2, 1, 3, 4]);
});

test('a withdrawn price leaves the charge unpriced: no other price takes its place', () => {
  const book = bookOf({ key: { model: '' }, basis }, { from: 500n, basis: { kind: 'withdrawn' } });

  expect(pricedBy(book, { usageTimeMicros: 499n })).toBe('version 1');
  expect(pricedBy(book, { usageTimeMicros: 500n })).toBe('WITHDRAWN 2');
});

describe('an alias', () => {
  test('takes the price of the model that it names, in the tier and region of the charge', () => {
    const book = bookOf(
      { key: { model: 'latest' }, basis: { kind: 'alias', model: 'm' } },
      { basis },
      { key: { region: 'eu' }, basis },
    );

    expect(pricedBy(book, { model: 'latest' })).toBe('version 2');
    expect(pricedBy(book, { model: 'latest', region: 'eu' })).toBe('version 3');
    expect(book.costWith(2, usageOf({ ...used, model: 'latest' })).costNanos).toBe(7n);
  });

  test('is followed once, and names nothing: no price', () => {
    const book = bookOf(
      { key: { model: 'a' }, basis: { kind: 'alias', model: 'b' } },
      { key: { model: 'b' }, basis: { kind: 'alias', model: 'c' } },
    );

    expect(pricedBy(book, { model: 'b' })).toBe('NO_PRICE 0');
    book.add(pricesOf([{ basis }, { basis }, { key: { model: 'c' }, basis }]));
    expect(pricedBy(book, { model: 'b' })).toBe('version 3');
    expect(pricedBy(book, { model: 'a' })).toBe('NO_PRICE 0');
  });

  test('of a withdrawn price is unpriced by that version', () => {
    const book = bookOf(
      { key: { model: 'a' }, basis: { kind: 'alias', model: 'm' } },
      { basis: { kind: 'withdrawn' } },
    );

    expect(pricedBy(book, { model: 'a' })).toBe('WITHDRAWN 2');
  });
});

describe('a reported cost', () => {
  const reportedCost = { currencyCode: 'EUR', nanos: 950_000n };

  test('is the cost if the price says so', () => {
    const book = bookOf({ key: { model: '' }, basis: { kind: 'reported' } });

    expect(book.costOf(usageOf({ ...used, reportedCost }))).toEqual({
      costNanos: 950_000n,
      costCurrency: 'EUR',
      priceVersion: 1,
      unpricedReason: 0,
      unpricedKinds: 0,
    });
    expect(book.linesWith(1, usageOf({ ...used, reportedCost }))).toEqual([]);
    expect(pricedBy(book, {})).toBe('NO_REPORTED_COST 1');
  });

  test('does not matter beside rates, and without a price it is no cost', () => {
    expect(bookOf({ basis }).costOf(usageOf({ ...used, reportedCost })).costNanos).toBe(7n);
    expect(pricedBy(bookOf(), { reportedCost })).toBe('NO_PRICE 0');
  });
});

describe('versions in memory', () => {
  test('are added once, in order and without a gap', () => {
    const book = bookOf({ basis });
    const [one, two, three] = pricesOf([{ basis }, { basis }, { basis }]);

    expect(() => book.add([three!])).toThrow('price version 2 is missing before 3');
    book.add([one!, two!]);
    book.add([two!, three!]);
    expect(book.version).toBe(3);
    expect(book.get(2)).toBe(two);
    expect(book.get(4)).toBeUndefined();
    expect(book.versionsOf(KEY)).toHaveLength(3);
  });

  test('a copy grows on its own', () => {
    const book = bookOf({ basis });
    const copy = book.copy();
    copy.add(pricesOf([{ basis }, { basis }]));

    expect([book.version, copy.version]).toEqual([1, 2]);
    expect([book.versionsOf(KEY).length, copy.versionsOf(KEY).length]).toEqual([1, 2]);
  });

  test('a cost by a version that is not loaded cannot be computed', () => {
    expect(() => new PriceBook().costWith(1, usageOf({}))).toThrow('price version 1 is not loaded');
    expect(() => new PriceBook().linesWith(1, usageOf({}))).toThrow('price version 1 is not loaded');
  });
});
