/** Amounts, shares, bars, sparklines and names, as the tables of `charge usage` have them. */

import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { amountText, decimalsFor, shareText } from '../../../src/cli/usage/amounts.ts';
import { bar, sparkline } from '../../../src/cli/usage/marks.ts';
import { tableText } from '../../../src/cli/prices/table.ts';
import { columnsOf, fit, safeName } from '../../../src/cli/usage/names.ts';

describe('amounts', () => {
  test.each([
    [0n, 2, '0.00'],
    [1_500_000_000n, 2, '1.50'],
    [1_234_567_890_123_456n, 2, '1,234,567.89'],
    [9_223_372_036_854_775_807n, 9, '9,223,372,036.854775807'],
    [5_000_000n, 2, '<0.01'],
    [5_000_001n, 2, '0.01'],
    [15_000_000n, 2, '0.02'],
    [25_000_000n, 2, '0.02'],
    [999_995_000_000n, 2, '1,000.00'],
    [1n, 6, '<0.000001'],
    [1n, 9, '0.000000001'],
  ])('%d nanos with %d decimals: %s', (nanos, decimals, text) => {
    expect(amountText(nanos, decimals)).toBe(text);
  });

  test('the smaller the largest amount, the more decimals', () => {
    expect(decimalsFor([])).toBe(2);
    expect(decimalsFor([1n, 12_000_000_000n])).toBe(2);
    expect(decimalsFor([12_345_678n])).toBe(4);
    expect(decimalsFor([123_456n])).toBe(6);
    expect(decimalsFor([123n])).toBe(9);
  });

  test('the text differs from the amount by at most half of its last digit', () => {
    const amount = fc.bigInt({ min: 0n, max: 9_223_372_036_854_775_807n });
    fc.assert(
      fc.property(amount, fc.constantFrom(2, 4, 6, 9), (nanos, decimals) => {
        const unit = 10n ** BigInt(9 - decimals);
        const text = amountText(nanos, decimals);
        if (text.startsWith('<')) return nanos > 0n && nanos * 2n <= unit;
        const shown = BigInt(text.replace(/[,.]/g, '')) * unit;
        const difference = shown > nanos ? shown - nanos : nanos - shown;
        return difference * 2n <= unit && text.split('.')[1]?.length === decimals;
      }),
    );
  });

  test.each([
    [1n, 3n, '33.3 %'],
    [2n, 3n, '66.7 %'],
    [3n, 3n, '100.0 %'],
    [0n, 3n, '0.0 %'],
    [1n, 1_000_000n, '<0.1 %'],
    [0n, 0n, ''],
  ])('%d of %d is a share of %j', (part, total, text) => {
    expect(shareText(part, total)).toBe(text);
  });
});

describe('bars', () => {
  test.each([
    [8n, 8n, '████'],
    [4n, 8n, '██'],
    [5n, 8n, '██▌'],
    [1n, 8n, '▌'],
    [1n, 1_000_000n, '▏'],
    [0n, 8n, ''],
    [0n, 0n, ''],
  ])('%d of %d', (value, max, text) => {
    expect(bar(value, max, 4)).toBe(text);
  });

  test('a larger value never has a shorter bar, and none is too long', () => {
    const value = fc.bigInt({ min: 0n, max: 2n ** 63n });
    fc.assert(
      fc.property(value, value, fc.integer({ min: 1, max: 40 }), (a, b, width) => {
        const [low, high] = a < b ? [a, b] : [b, a];
        const [shorter, longer] = [bar(low, high, width), bar(high, high, width)];
        return shorter.length <= longer.length && longer.length <= width;
      }),
    );
  });
});

describe('sparklines', () => {
  test.each([
    [[1n, 2n, 3n, 4n, 5n, 6n, 7n, 8n], '▁▂▃▄▅▆▇█'],
    [[0n, 1n, 1_000_000n, 0n], '·▁█·'],
    [[0n, 0n], '··'],
    [[], ''],
  ])('%j', (values, text) => {
    expect(sparkline(values)).toBe(text);
  });
});

describe('names', () => {
  test.each([
    ['gpt-5.2', 10, 'gpt-5.2   '],
    ['gpt-5.2', 7, 'gpt-5.2'],
    ['gpt-5.2', 5, 'gpt-…'],
    ['日本語モデル', 7, '日本語…'],
    // A wide character does not fit into the last column before the mark.
    ['日本語モデル', 8, '日本語… '],
    ['👨‍👩‍👧 family', 6, '👨‍👩‍👧 fa…'],
    ['', 3, '   '],
  ])('%j in %d columns', (text, width, fitted) => {
    expect(fit(text, width)).toBe(fitted);
  });

  test('a text of any characters takes exactly the columns that it is given', () => {
    const text = fc.string({ unit: 'grapheme', maxLength: 30 }).map(safeName);
    fc.assert(
      fc.property(
        text,
        fc.integer({ min: 2, max: 40 }),
        (name, width) => columnsOf(fit(name, width)) === width,
      ),
    );
  });

  test('a name cannot move the cursor, break the line or turn the text round', () => {
    expect(safeName('a\u001b[31mb\nc\u202ed\u200be\u2028f')).toBe('a\ufffd[31mb\ufffdc\ufffdd\ufffde\ufffdf');
    expect(tableText(['NAME'], [['a\u001b[31m\nb']])).toBe('NAME\na\ufffd[31m\ufffdb');
    expect(safeName('👨‍👩‍👧 é 日本')).toBe('👨‍👩‍👧 é 日本');
  });
});

test('a negative amount has its sign in front', () => {
  expect(amountText(-43_159_125n, 4)).toBe('-0.0432');
});
