import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { decimalText, parseRate, POWER } from '../../../src/cli/prices/decimal.ts';

test.each([
  ['2.5e-06', POWER.perOne, 2_500_000_000n],
  ['0.0000025', POWER.perOne, 2_500_000_000n],
  ['2.5E-6', POWER.perOne, 2_500_000_000n],
  ['4.6875e-9', POWER.perOne, 4_687_500n],
  ['0.0001', POWER.perThousand, 100_000_000n],
  ['2.5', POWER.perMillion, 2_500_000_000n],
  ['0', POWER.perOne, 0n],
  ['-0', POWER.perOne, 0n],
  ['1000', POWER.perOne, 1_000_000_000_000_000_000n],
])('%s times 10^%d is %d', (text, power, rate) => {
  expect(parseRate(text, power)).toEqual({ nanosPerMillion: rate, isRounded: false });
});

test('digits that a double would lose are kept', () => {
  expect(parseRate('0.123456789012345678', 18 - 3)).toEqual({
    nanosPerMillion: 123456789012346n,
    isRounded: true,
  });
  expect(parseRate('123456789.123456789', POWER.perMillion)).toEqual({
    nanosPerMillion: 123456789123456789n,
    isRounded: false,
  });
});

test.each([
  ['0.5e-15', 0n],
  ['1.5e-15', 2n],
  ['2.5e-15', 2n],
  ['2.51e-15', 3n],
  ['2.4999e-15', 2n],
])('%s is finer than a rate can be: half to even, %d', (text, rate) => {
  expect(parseRate(text, POWER.perOne)).toEqual({ nanosPerMillion: rate, isRounded: true });
});

test.each(['-1', '1000.1', '1,5', '', 'free', '0x10', '1e9999', '.5', 'NaN'])('%j is no rate', (text) => {
  expect(parseRate(text, POWER.perOne)).toHaveProperty('reason');
});

test('a rate is written as the decimal that reads as the same rate', () => {
  const powers = fc.constantFrom(...Object.values(POWER));
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 10n ** 18n }), powers, (nanosPerMillion, power) => {
      const text = decimalText(nanosPerMillion, power);
      expect(text).not.toMatch(/\.\d*0$|\.$|^0\d/);
      expect(parseRate(text, power)).toEqual({ nanosPerMillion, isRounded: false });
    }),
  );
});

test.each([
  [-1_500_000_000n, 9, '-1.5'],
  [-1n, 9, '-0.000000001'],
  [7n, 0, '7'],
])('%d without its last %d digits is %s', (integer, power, text) => {
  expect(decimalText(integer, power)).toBe(text);
});
