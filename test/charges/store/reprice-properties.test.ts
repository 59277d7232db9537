/** What holds for every reprice, whatever was recorded and whatever it costs now. */

import { afterAll, beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { matches } from '../../../src/charges/charge-filter.ts';
import type { Charge, ChargeContent, ChargeFilter } from '../../../src/charges/charge.ts';
import type { RepricePage } from '../../../src/charges/ports.ts';
import { type NewPrice, RepriceStore, START, TENANT } from '../support/reprice.ts';

let book: RepriceStore;
beforeAll(async () => {
  book = await RepriceStore.open();
});
afterAll(() => book.close());

const RUNS = { numRuns: 15 };
/** Each run of a property has an hour and models of its own. */
const HOUR = 3_600_000_000n;
let runs = 0n;

const model = fc.constantFrom('a', 'b', 'c');
const content = fc.record({
  model,
  userProfile: fc.constantFrom('alice', 'bob'),
  sessionKey: fc.constantFrom('', 's'),
  reference: fc.constantFrom('', 'r'),
  chargeType: fc.constantFrom(1, 2),
  labels: fc.constantFrom(new Map<string, string>(), new Map([['team', 'x']])),
  promptTokens: fc.bigInt(0n, 1_000n),
  completionTokens: fc.bigInt(0n, 1_000n),
  usageTimeMicros: fc.bigInt(0n, 30n),
  reportedCost: fc.option(fc.record({ currencyCode: fc.constant('EUR'), nanos: fc.bigInt(0n, 1_000n) }), {
    nil: undefined,
  }),
}) satisfies fc.Arbitrary<Partial<ChargeContent>>;
const rate = fc.bigInt(0n, 10n ** 12n).map(String);
const price: fc.Arbitrary<NewPrice> = fc.oneof(
  fc.record({ model, rates: fc.record({ 1: rate, 2: rate }, { requiredKeys: [] }) }),
  fc.record({ model }),
);

const sum = (charges: Iterable<Charge>, currency: string) => {
  let total = 0n;
  for (const { costCurrency, costNanos = 0n } of charges) if (costCurrency === currency) total += costNanos;
  return total;
};

function totalsOf(pages: readonly RepricePage[]) {
  const of = (key: 'matchedCharges' | 'changedCharges' | 'unpricedCharges') =>
    pages.reduce((total, { totals }) => total + totals[key], 0);
  const amount = (currency: string, side: 'before' | 'after') =>
    pages.reduce((total, { totals }) => total + (totals.amounts.get(currency)?.[side] ?? 0n), 0n);
  return {
    matched: of('matchedCharges'),
    changed: of('changedCharges'),
    unpriced: of('unpricedCharges'),
    amount,
  };
}

test('afterwards every charge has the cost of the prices as they are, and doing it again changes nothing', async () => {
  const scenario = fc.record({
    contents: fc.array(content, { minLength: 1, maxLength: 20 }),
    before: fc.array(price, { maxLength: 3 }),
    after: fc.array(price, { maxLength: 3 }),
    includePriced: fc.boolean(),
    maxCharges: fc.integer({ min: 1, max: 25 }),
    voided: fc.nat(20),
  });
  await fc.assert(
    fc.asyncProperty(scenario, async ({ contents, before, after, includePriced, maxCharges, voided }) => {
      const run = runs++;
      const start = START + run * HOUR;
      const filter: ChargeFilter = { startTimeMicros: start, endTimeMicros: start + HOUR };
      const own = <T extends { readonly model?: string }>(of: T) => ({ ...of, model: `${run}-${of.model}` });
      for (const one of before) await book.addPrice(own(one));
      const recorded = await book.record(
        `p${run}`,
        contents.map((one) => ({ ...own(one), usageTimeMicros: start + one.usageTimeMicros })),
      );
      await book.void(recorded.slice(voided, voided + 1).map(({ id }) => id));
      for (const one of after) await book.addPrice(own(one));
      const charges = () => book.charges(filter);

      const old = await charges();
      const query = { filter, includePriced, maxCharges, runId: `run-${run}` };
      const expected = totalsOf(await book.repriceAll({ ...query, dryRun: true }));
      const pages = totalsOf(await book.repriceAll(query));
      const now = await charges();
      expect({ ...pages, amount: undefined }).toEqual({ ...expected, amount: undefined });

      const prices = await book.newPriceBooks().get(TENANT);
      const looked = [...old.values()].filter(({ costNanos }) => includePriced || costNanos === undefined);
      expect(pages.matched).toBe(looked.length);
      let changed = 0;
      for (const [id, charge] of now) {
        const earlier = old.get(id);
        if (earlier === undefined) throw new Error('a charge appeared');
        const wanted = looked.includes(earlier) ? prices.costOf(earlier) : earlier;
        expect([charge.costNanos, charge.costCurrency, charge.unpricedReason, charge.unpricedKinds]).toEqual([
          wanted.costNanos,
          wanted.costCurrency,
          wanted.unpricedReason,
          wanted.unpricedKinds,
        ]);
        changed += charge.status?.revision ?? 0;
      }
      expect(pages.changed).toBe(changed);
      const repriced = looked.flatMap(({ id }) => now.get(id) ?? []);
      expect(pages.unpriced).toBe(repriced.filter(({ costNanos }) => costNanos === undefined).length);
      for (const currency of ['USD', 'EUR']) {
        expect(pages.amount(currency, 'before')).toBe(sum(looked, currency));
        expect(pages.amount(currency, 'after')).toBe(sum(repriced, currency));
      }

      const rows = await book.rowCounts();
      expect(totalsOf(await book.repriceAll(query)).changed).toBe(0);
      expect(await book.rowCounts()).toEqual(rows);
    }),
    RUNS,
  );
});

test('a reprice looks at exactly the charges that the filter matches', async () => {
  const start = START - HOUR;
  const contents = fc.sample(content, { numRuns: 60, seed: 7 });
  const recorded = await book.record(
    'filtered',
    contents.map((one) => ({
      ...one,
      model: `f-${one.model}`,
      usageTimeMicros: start + one.usageTimeMicros,
    })),
  );
  const part = <T>(...values: T[]) => fc.constantFrom(...values);
  const filters = fc.record(
    {
      userProfile: part('alice', 'carol'),
      sessionKey: part('s'),
      reference: part('r'),
      provider: part(1, 2),
      chargeType: part(1, 2),
      model: part('f-a', 'f-b'),
      labels: part(new Map([['team', 'x']]), new Map([['team', 'y']])),
      from: fc.bigInt(0n, 30n),
      to: fc.bigInt(0n, 31n),
    },
    { requiredKeys: ['from', 'to'] },
  );
  await fc.assert(
    fc.asyncProperty(filters, async ({ from, to, ...others }) => {
      const filter = { ...others, startTimeMicros: start + from, endTimeMicros: start + to };
      const page = await book.reprice({ filter, dryRun: true, includePriced: true });
      expect(page.totals.matchedCharges).toBe(recorded.filter((charge) => matches(filter, charge)).length);
    }),
    { numRuns: 60 },
  );
});
