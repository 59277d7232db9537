import { expect, test } from '@jest/globals';
import fc from 'fast-check';

import { ChargeRates } from '../../src/charges/charge-rates.ts';

let nowMs = 0;
const ratesOf = (max: number): ChargeRates =>
  new ChargeRates(
    (tenant) => (tenant === 'free' ? Infinity : max),
    () => nowMs,
  );

test('a tenant may record the charges of a second at once, and then as many as its rate gives', () => {
  const rates = ratesOf(100);
  expect(rates.takeSome('a', 1_000)).toBe(100);
  expect(rates.takeSome('a', 1)).toBe(0);
  nowMs += 250;
  expect(rates.takeSome('a', 1_000)).toBe(25);
  nowMs += 60_000;
  expect(rates.takeSome('a', 1_000)).toBe(100);
  expect(rates.takeSome('b', 1_000)).toBe(100);
});

test('a batch that is larger than what is left is taken, and the next call waits for it', () => {
  const rates = ratesOf(100);
  expect(rates.takeAll('a', 99)).toBe(0);
  expect(rates.takeAll('a', 301)).toBe(0);
  // 300 charges too many, and one for the next call.
  expect(rates.takeAll('a', 1)).toBe(3_010);
  nowMs += 3_009;
  expect(rates.takeAll('a', 1)).toBe(1);
  nowMs += 1;
  expect(rates.takeAll('a', 1)).toBe(0);
});

test('what waits comes in groups of a tenth of a second', () => {
  const rates = ratesOf(1_000);
  expect(rates.waitMs('a', 500)).toBe(0);
  rates.takeSome('a', 1_000);
  expect(rates.waitMs('a', 500)).toBe(100);
  expect(rates.waitMs('a', 5)).toBe(5);
});

test('a tenant without a limit takes everything, and leaves nothing behind', () => {
  const rates = ratesOf(1);
  expect(rates.takeAll('free', 1_000)).toBe(0);
  expect(rates.takeSome('free', 1_000)).toBe(1_000);
  expect(rates.waitMs('free', 1_000)).toBe(0);
});

test('a limit that is lowered holds at once', () => {
  let max = 1_000;
  const rates = new ChargeRates(
    () => max,
    () => nowMs,
  );
  expect(rates.takeSome('a', 1)).toBe(1);
  max = 10;
  expect(rates.takeSome('a', 1_000)).toBe(10);
});

const attempt = fc.record({
  afterMs: fc.integer({ min: 0, max: 2_000 }),
  charges: fc.integer({ min: 1, max: 1_000 }),
  kind: fc.constantFrom('all', 'some', 'wait'),
});

test('whatever is asked for and when, no more is taken than the rate and one second, and who waits as told gets some', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 5_000 }), fc.array(attempt, { maxLength: 50 }), (max, attempts) => {
      nowMs = 0;
      const rates = ratesOf(max);
      let taken = 0;
      for (const { afterMs, charges, kind } of attempts) {
        nowMs += afterMs;
        if (kind === 'wait') {
          nowMs += rates.waitMs('a', charges);
          expect(rates.waitMs('a', charges)).toBe(0);
        }
        const before = taken;
        if (kind === 'all') taken += rates.takeAll('a', charges) === 0 ? charges : 0;
        else taken += rates.takeSome('a', charges);
        if (kind === 'wait') expect(taken).toBeGreaterThan(before);
        // Before the last call there was room.
        if (taken > before) expect(before).toBeLessThan(max * (1 + nowMs / 1000) + 1e-6);
        if (kind === 'some')
          expect(taken).toBeLessThanOrEqual(Math.max(before, max * (1 + nowMs / 1000) + 1e-6));
      }
    }),
  );
});
