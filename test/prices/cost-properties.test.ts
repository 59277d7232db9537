/** What holds for every price and every charge. */

import { expect, test } from '@jest/globals';
import fc from 'fast-check';

import { type Basis, PriceBook, type Usage, type UsageDetails, UsageKind } from '../../src/prices/index.ts';
import { KEY, type PriceSketch, pricesOf, ratesOf } from './support/prices.ts';
import { slowCostOf } from './support/rational-pricing.ts';

const INT64_MAX = 2n ** 63n - 1n;
const KINDS = Object.values(UsageKind);
const QUANTITY_KINDS = KINDS.filter((kind) => kind >= 20);

/** Often small and around a rounding border, sometimes as large as it may be. */
function upTo(max: bigint): fc.Arbitrary<bigint> {
  const small = max < 2_000n ? max : 2_000n;
  return fc.oneof(
    { weight: 5, arbitrary: fc.bigInt(0n, small) },
    { weight: 1, arbitrary: fc.bigInt(0n, max) },
  );
}

const rate = fc.oneof(
  upTo(10n ** 18n),
  fc.constantFrom(0n, 500_000n, 1_500_000n, 4_687_500n, 2_500_000_000n, 10n ** 18n),
);

const subsetOfKinds = fc.oneof(
  { weight: 4, arbitrary: fc.constant([...KINDS]) },
  { weight: 3, arbitrary: fc.subarray([...KINDS], { minLength: 1 }) },
);

function rates(kinds: readonly number[]): fc.Arbitrary<Map<number, bigint>> {
  return fc
    .array(rate, { minLength: kinds.length, maxLength: kinds.length })
    .map((values) => ratesOf(Object.fromEntries(kinds.map((kind, index) => [kind, values[index]!]))));
}

function card(tiersMax: number): fc.Arbitrary<Basis> {
  return subsetOfKinds.chain((kinds) =>
    fc
      .record({
        rates: rates(kinds),
        tiers: fc.uniqueArray(
          fc.record({ abovePromptTokens: fc.bigInt(1n, 50n), rates: rates([...kinds, 1]) }),
          { maxLength: tiersMax, selector: ({ abovePromptTokens }) => abovePromptTokens },
        ),
        currencyCode: fc.constantFrom('USD', 'EUR'),
      })
      .map((found): Basis => {
        const tiers = found.tiers.toSorted((a, b) => Number(a.abovePromptTokens - b.abovePromptTokens));
        return { kind: 'rate_card', card: { ...found, tiers } };
      }),
  );
}

const model = fc.constantFrom('', 'gpt-', 'gpt-4', 'gpt-4o', 'gpt-4o-mini', 'claude');
const region = fc.constantFrom('', 'eu', 'us');
const serviceTier = fc.constantFrom(1, 1, 1, 2);
const time = fc.bigInt(0n, 5n);
const providers = fc.constantFrom(
  { provider: 1, otherProvider: '' },
  { provider: 1, otherProvider: '' },
  { provider: 1, otherProvider: '' },
  { provider: 100, otherProvider: 'a' },
  { provider: 100, otherProvider: 'b' },
);

const basis: fc.Arbitrary<Basis> = fc.oneof(
  { weight: 5, arbitrary: card(3) },
  { weight: 2, arbitrary: model.map((name): Basis => ({ kind: 'alias', model: name })) },
  { weight: 1, arbitrary: fc.constant<Basis>({ kind: 'reported' }) },
  { weight: 1, arbitrary: fc.constant<Basis>({ kind: 'withdrawn' }) },
);

const sketch: fc.Arbitrary<PriceSketch> = fc
  .record({ providers, model, region, serviceTier, from: time, basis, isPrefix: fc.boolean() })
  .map(({ providers: { provider, otherProvider }, from, basis: how, isPrefix, ...key }) => ({
    key: {
      ...key,
      provider,
      otherProvider,
      chargeType: 1,
      modelMatch: isPrefix && key.model.length >= 4 ? 2 : 1,
    },
    from,
    basis: how,
  }));

/** Parts of a prompt and of a completion, within the contract's rules for a charge. */
function details(prompt: bigint, completion: bigint): fc.Arbitrary<UsageDetails> {
  return fc
    .record({
      cacheReadTokens: upTo(prompt),
      cacheWrite5mTokens: upTo(prompt),
      cacheWrite1hTokens: upTo(prompt),
      reasoningTokens: upTo(completion),
      audioInputTokens: upTo(prompt),
      audioOutputTokens: upTo(completion),
      imageInputTokens: upTo(prompt),
      imageOutputTokens: upTo(completion),
    })
    .map((found) => {
      const { cacheReadTokens, cacheWrite5mTokens, cacheWrite1hTokens } = found;
      const fits = cacheReadTokens + cacheWrite5mTokens + cacheWrite1hTokens <= prompt;
      return fits
        ? found
        : { ...found, cacheWrite5mTokens: 0n, cacheWrite1hTokens: prompt - cacheReadTokens };
    });
}

const usage: fc.Arbitrary<Usage> = fc
  .record({ promptTokens: upTo(INT64_MAX), completionTokens: upTo(INT64_MAX) })
  .map(({ promptTokens, completionTokens }) => ({
    promptTokens,
    completionTokens:
      completionTokens > INT64_MAX - promptTokens ? INT64_MAX - promptTokens : completionTokens,
  }))
  .chain(({ promptTokens, completionTokens }) =>
    fc
      .record({
        providers,
        chargeType: fc.constantFrom(1, 1, 1, 3),
        model: fc.oneof(model, fc.constant('gpt-4o-mini-2024')),
        serviceTier,
        region,
        tokenDetails: fc.option(details(promptTokens, completionTokens), { nil: undefined }),
        quantities: fc
          .uniqueArray(fc.tuple(fc.constantFrom(...QUANTITY_KINDS), fc.bigInt(1n, 10n ** 15n)), {
            maxLength: 3,
            selector: ([kind]) => kind,
          })
          .map((entries) => new Map(entries)),
        reportedCost: fc.option(
          fc.record({ currencyCode: fc.constantFrom('USD', 'EUR'), nanos: upTo(INT64_MAX) }),
          { nil: undefined },
        ),
        usageTimeMicros: time,
      })
      .map(({ providers: provider, ...rest }) => ({ ...provider, ...rest, promptTokens, completionTokens })),
  );

function bookOf(sketches: readonly PriceSketch[]): PriceBook {
  const book = new PriceBook();
  book.add(pricesOf(sketches));
  return book;
}

test('an independent implementation finds the same version and the same cost', () => {
  const seen = { priced: 0, reasons: new Set<number>() };
  fc.assert(
    fc.property(
      fc.array(sketch, { minLength: 6, maxLength: 20 }),
      fc.array(usage, { minLength: 8, maxLength: 8 }),
      (sketches, uses) => {
        const prices = pricesOf(sketches);
        const book = bookOf(sketches);
        for (const use of uses) {
          const cost = book.costOf(use);
          expect(cost).toEqual(slowCostOf(prices, use));
          if (cost.costNanos !== undefined) seen.priced++;
          seen.reasons.add(cost.unpricedReason);
        }
      },
    ),
    { numRuns: 1_500 },
  );
  // The charges are not all of one sort: otherwise the test would say little.
  expect(seen.priced).toBeGreaterThan(300);
  expect([...seen.reasons].sort()).toEqual([0, 1, 2, 3, 4, 5]);
});

test('the lines add up to the amount, and it is never negative; the version alone makes it again', () => {
  fc.assert(
    fc.property(fc.array(sketch, { minLength: 1, maxLength: 6 }), usage, (sketches, use) => {
      const book = bookOf(sketches);
      const cost = book.costOf(use);
      if (cost.priceVersion === 0) return;
      const lines = book.linesWith(cost.priceVersion, use);

      expect(book.costWith(cost.priceVersion, use)).toEqual(cost);
      if (cost.costNanos === undefined) expect(lines).toEqual([]);
      else expect(cost.costNanos).toBeGreaterThanOrEqual(0n);
      if (book.get(cost.priceVersion)?.basis.kind === 'rate_card' && cost.costNanos !== undefined) {
        expect(lines.reduce((sum, { nanos }) => sum + nanos, 0n)).toBe(cost.costNanos);
        expect(lines.map(({ kind }) => kind)).toEqual(
          lines.map(({ kind }) => kind).toSorted((a, b) => a - b),
        );
      }
    }),
    { numRuns: 1_500 },
  );
});

test('without tiers, more prompt tokens, completion tokens or of anything else never cost less', () => {
  const all = KINDS;
  const small = fc.record({
    prompt: upTo(100_000n),
    completion: upTo(100_000n),
    more: fc.record({ prompt: upTo(1_000n), completion: upTo(1_000n), images: upTo(1_000n) }),
  });
  fc.assert(
    fc.property(rates(all), small, (found, { prompt, completion, more }) => {
      const key = { ...KEY };
      const book = bookOf([
        { key, basis: { kind: 'rate_card', card: { currencyCode: 'USD', rates: found, tiers: [] } } },
      ]);
      const used = (promptTokens: bigint, completionTokens: bigint, images: bigint): bigint => {
        const quantities = new Map<number, bigint>([[UsageKind.INPUT_IMAGE, images + 1n]]);
        const cost = book.costOf({
          ...key,
          promptTokens,
          completionTokens,
          tokenDetails: undefined,
          quantities,
          reportedCost: undefined,
          usageTimeMicros: 0n,
        });
        // Out of range is more than any amount.
        return cost.costNanos ?? INT64_MAX + 1n;
      };
      const before = used(prompt, completion, 0n);

      expect(used(prompt + more.prompt, completion, 0n)).toBeGreaterThanOrEqual(before);
      expect(used(prompt, completion + more.completion, 0n)).toBeGreaterThanOrEqual(before);
      expect(used(prompt, completion, more.images)).toBeGreaterThanOrEqual(before);
    }),
  );
});
