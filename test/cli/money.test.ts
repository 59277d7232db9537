import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { formatNanos, parseScaled } from '../../src/cli/money.ts';

test.each([
  ['0.0012', 1_200_000n],
  ['12', 12_000_000_000n],
  ['.5', 500_000_000n],
  ['0,5', 500_000_000n],
  ['0,001', 1_000_000n],
  ['1.2e-05', 12_000n],
  ['1E3', 1_000_000_000_000n],
  ['1,234.5', 1_234_500_000_000n],
  ['1.234,5', 1_234_500_000_000n],
  ['1,234,567', 1_234_567_000_000_000n],
  ['1.234', 1_234_000_000n],
  ['-0.00', 0n],
  ['9223372036.854775807', 9_223_372_036_854_775_807n],
])('reads the amount %j', (text, value) => {
  expect(parseScaled(text, 9)).toEqual({ value, isRounded: false });
});

test.each([
  ['0.0000000005', 0n],
  ['0.0000000015', 2n],
  ['0.0000000025', 2n],
  ['0.00000000250000001', 3n],
  // What a program writes that counts in floating-point numbers.
  ['0.00012345000000000001', 123_450n],
])('rounds the amount %j, a half to the even neighbour', (text, value) => {
  expect(parseScaled(text, 9)).toEqual({ value, isRounded: true });
});

test.each([
  ['1,234', 'could be a thousand times'],
  ['-0.01', 'is negative'],
  ['', 'is not a decimal number'],
  ['.', 'is not a decimal number'],
  ['1.2.3', 'is not a decimal number'],
  ['Infinity', 'is not a decimal number'],
  ['1e999', 'is not a decimal number'],
  ['€5', 'is not a decimal number'],
  ['9223372036.854775808', 'is too large'],
  ['1'.repeat(101), 'is not a decimal number'],
])('refuses the amount %j', (text, reason) => {
  expect(parseScaled(text, 9)).toContain(reason);
});

test('every amount is read as it is written', () => {
  fc.assert(
    fc.property(fc.bigInt(0n, 2n ** 63n - 1n), (nanos) => {
      expect(parseScaled(formatNanos(nanos), 9)).toEqual({ value: nanos, isRounded: false });
    }),
  );
  expect([0n, 1n, 100_000_000n, -1_500_000_000n].map(formatNanos)).toEqual([
    '0.00',
    '0.000000001',
    '0.10',
    '-1.50',
  ]);
});
