/** What is decided about requests keeps the price versions in order. */

import { expect, test } from '@jest/globals';
import fc from 'fast-check';

import { PriceBook } from '../../src/prices/index.ts';
import { PriceDecisions, type PriceRequest } from '../../src/prices/price-decision.ts';
import { byRates, KEY } from './support/prices.ts';

const MODELS = ['', 'm', 'mod-', 'mod-a', 'mod-b', 'n'];
const REGIONS = ['', 'eu', 'us'];
const TIMES = [0n, 1n, 2n, 3n];

const request: fc.Arbitrary<Omit<PriceRequest, 'requestId'>> = fc
  .record({
    model: fc.constantFrom(...MODELS),
    modelMatch: fc.constantFrom(1, 1, 2),
    region: fc.constantFrom('', '', 'eu', 'us'),
    serviceTier: fc.constantFrom(1, 1, 1, 2),
    effectiveTimeMicros: fc.constantFrom(...TIMES),
    basis: fc.oneof(
      fc.constantFrom('m', 'mod-a', 'mod-b', 'n').map((model) => ({ kind: 'alias' as const, model })),
      fc.bigInt(0n, 2n).map((rate) => byRates({ 1: rate })),
      fc.constant({ kind: 'withdrawn' as const }),
    ),
  })
  .map(({ effectiveTimeMicros, basis, modelMatch, ...key }) => ({
    allowPast: true,
    content: {
      key: { ...KEY, ...key, modelMatch: key.model.length >= 4 ? modelMatch : 1 },
      effectiveTimeMicros,
      basis,
      source: '',
      note: '',
    },
  }));

/** Decides requests one after the other, each on what the ones before it have added. */
function decideAll(requests: readonly Omit<PriceRequest, 'requestId'>[]) {
  let prices = new PriceBook();
  const seen = { created: 0, unchanged: 0, chains: 0 };
  for (const [index, one] of requests.entries()) {
    const trial = prices.copy();
    const decision = new PriceDecisions(trial, new Map(), 10n).decide({ ...one, requestId: `r${index}` });
    if ('kind' in decision) {
      seen.chains++;
      continue;
    }
    prices = trial;
    if (decision.outcome === 'created') seen.created++;
    else seen.unchanged++;
  }
  return { prices, seen };
}

/** For every model, region, tier and moment. */
function* usages() {
  for (const model of [...MODELS, 'mod-c', 'other']) {
    for (const region of REGIONS) {
      for (const serviceTier of [1, 2]) {
        for (const usageTimeMicros of TIMES) yield { ...KEY, model, region, serviceTier, usageTimeMicros };
      }
    }
  }
}

test('no alias ever leads to an alias', () => {
  const total = { created: 0, unchanged: 0, chains: 0 };
  fc.assert(
    fc.property(fc.array(request, { minLength: 5, maxLength: 25 }), (requests) => {
      const { prices, seen } = decideAll(requests);
      for (const name of ['created', 'unchanged', 'chains'] as const) total[name] += seen[name];
      for (const usage of usages()) {
        const basis = prices.find(usage)?.basis;
        if (basis?.kind !== 'alias') continue;
        expect(prices.find({ ...usage, model: basis.model })?.basis.kind).not.toBe('alias');
      }
    }),
    { numRuns: 300 },
  );
  for (const count of Object.values(total)) expect(count).toBeGreaterThan(20);
});

test('a version that says what is in force would change no cost', () => {
  fc.assert(
    fc.property(fc.array(request, { minLength: 5, maxLength: 15 }), request, (requests, last) => {
      const { prices } = decideAll(requests);
      const trial = prices.copy();
      const decision = new PriceDecisions(trial, new Map(), 10n).decide({ ...last, requestId: 'last' });
      if ('kind' in decision || decision.outcome !== 'unchanged') return;
      const { content } = last;
      trial.add([
        {
          ...content,
          version: trial.version + 1,
          effectiveTimeMicros: content.effectiveTimeMicros ?? 0n,
          createTimeMicros: 0n,
        },
      ]);
      for (const usage of usages()) {
        expect(trial.find(usage)?.basis).toEqual(prices.find(usage)?.basis);
      }
    }),
    { numRuns: 300 },
  );
});
