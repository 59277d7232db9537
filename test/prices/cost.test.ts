/** How much a charge costs: cases with exact amounts. */

import { expect, test } from '@jest/globals';

import { type PriceBook, UnpricedReason, type Usage, UsageKind } from '../../src/prices/index.ts';
import { bookOf, byRates, usageOf } from './support/prices.ts';

const K = UsageKind;
const GPT_4O = { 1: 2_500_000_000n, 2: 10_000_000_000n, 3: 1_250_000_000n };
const SONNET = { 1: 3_000_000_000n, 2: 15_000_000_000n, 3: 300_000_000n, 4: 3_750_000_000n };
const SONNET_ABOVE_200K = { 1: 6_000_000_000n, 2: 22_500_000_000n, 3: 600_000_000n, 4: 7_500_000_000n };
const GPT_4O_AUDIO = { 1: 2_500_000_000n, 2: 10_000_000_000n, 7: 100_000_000_000n, 8: 200_000_000_000n };

/** kind, quantity, rate, amount */
type Line = readonly [kind: number, quantity: bigint, rate: bigint, nanos: bigint];

const PRICED: [title: string, book: PriceBook, usage: Usage, nanos: bigint, lines: Line[]][] = [
  [
    'a plain completion',
    bookOf({ basis: byRates(GPT_4O) }),
    usageOf({ promptTokens: 1000n, completionTokens: 500n }),
    7_500_000n,
    [
      [K.INPUT, 1000n, 2_500_000_000n, 2_500_000n],
      [K.OUTPUT, 500n, 10_000_000_000n, 5_000_000n],
    ],
  ],
  [
    'cached tokens are priced once, at their own rate',
    bookOf({ basis: byRates(GPT_4O) }),
    usageOf({ promptTokens: 2006n, completionTokens: 300n, details: { cacheReadTokens: 1920n } }),
    5_615_000n,
    [
      [K.INPUT, 86n, 2_500_000_000n, 215_000n],
      [K.OUTPUT, 300n, 10_000_000_000n, 3_000_000n],
      [K.CACHE_READ, 1920n, 1_250_000_000n, 2_400_000n],
    ],
  ],
  [
    'reads, writes and reasoning together; reasoning without a rate is output',
    bookOf({ basis: byRates(SONNET) }),
    usageOf({
      promptTokens: 98_805n,
      completionTokens: 5120n,
      details: { cacheReadTokens: 66_360n, cacheWrite5mTokens: 32_435n, reasoningTokens: 1710n },
    }),
    218_369_250n,
    [
      [K.INPUT, 10n, 3_000_000_000n, 30_000n],
      [K.OUTPUT, 5120n, 15_000_000_000n, 76_800_000n],
      [K.CACHE_READ, 66_360n, 300_000_000n, 19_908_000n],
      [K.CACHE_WRITE_5M, 32_435n, 3_750_000_000n, 121_631_250n],
    ],
  ],
  [
    'exactly as many prompt tokens as a tier says: the base rates',
    bookOf({ basis: byRates(SONNET, [200_000n, SONNET_ABOVE_200K]) }),
    usageOf({ promptTokens: 200_000n, completionTokens: 1000n }),
    615_000_000n,
    [
      [K.INPUT, 200_000n, 3_000_000_000n, 600_000_000n],
      [K.OUTPUT, 1000n, 15_000_000_000n, 15_000_000n],
    ],
  ],
  [
    'one prompt token more: every token at the rates of the tier',
    bookOf({ basis: byRates(SONNET, [200_000n, SONNET_ABOVE_200K]) }),
    usageOf({ promptTokens: 200_001n, completionTokens: 1000n }),
    1_222_506_000n,
    [
      [K.INPUT, 200_001n, 6_000_000_000n, 1_200_006_000n],
      [K.OUTPUT, 1000n, 22_500_000_000n, 22_500_000n],
    ],
  ],
  [
    'cached tokens count for the tier; of several, the highest applies',
    bookOf({
      basis: byRates({ 1: 1n, 3: 1n }, [10n, { 1: 2n, 3: 2n }], [20n, { 1: 3_000_000n, 3: 4_000_000n }]),
    }),
    usageOf({ promptTokens: 21n, details: { cacheReadTokens: 20n } }),
    83n,
    [
      [K.INPUT, 1n, 3_000_000n, 3n],
      [K.CACHE_READ, 20n, 4_000_000n, 80n],
    ],
  ],
  [
    'reasoning has a rate of its own',
    bookOf({ basis: byRates({ 1: 150_000_000n, 2: 600_000_000n, 6: 3_500_000_000n }) }),
    usageOf({ promptTokens: 1000n, completionTokens: 2000n, details: { reasoningTokens: 1500n } }),
    5_700_000n,
    [
      [K.INPUT, 1000n, 150_000_000n, 150_000n],
      [K.OUTPUT, 500n, 600_000_000n, 300_000n],
      [K.REASONING, 1500n, 3_500_000_000n, 5_250_000n],
    ],
  ],
  [
    'audio in and out',
    bookOf({ basis: byRates(GPT_4O_AUDIO) }),
    usageOf({
      promptTokens: 3000n,
      completionTokens: 800n,
      details: { audioInputTokens: 2500n, audioOutputTokens: 600n },
    }),
    373_250_000n,
    [
      [K.INPUT, 500n, 2_500_000_000n, 1_250_000n],
      [K.OUTPUT, 200n, 10_000_000_000n, 2_000_000n],
      [K.AUDIO_INPUT, 2500n, 100_000_000_000n, 250_000_000n],
      [K.AUDIO_OUTPUT, 600n, 200_000_000_000n, 120_000_000n],
    ],
  ],
  [
    'of the uncached prompt first audio is taken, then images; of the completion reasoning, audio, images',
    bookOf({
      basis: byRates({
        2: 1n,
        3: 1_000_000n,
        6: 2_000_000n,
        7: 3_000_000n,
        8: 5_000_000n,
        10: 7_000_000n,
        11: 11_000_000n,
      }),
    }),
    usageOf({
      promptTokens: 10n,
      completionTokens: 10n,
      details: {
        cacheReadTokens: 4n,
        audioInputTokens: 5n,
        imageInputTokens: 5n,
        reasoningTokens: 4n,
        audioOutputTokens: 5n,
        imageOutputTokens: 5n,
      },
    }),
    70n,
    [
      [K.CACHE_READ, 4n, 1_000_000n, 4n],
      [K.REASONING, 4n, 2_000_000n, 8n],
      [K.AUDIO_INPUT, 5n, 3_000_000n, 15n],
      [K.AUDIO_OUTPUT, 5n, 5_000_000n, 25n],
      [K.IMAGE_TOKEN_INPUT, 1n, 7_000_000n, 7n],
      [K.IMAGE_TOKEN_OUTPUT, 1n, 11_000_000n, 11n],
    ],
  ],
  [
    'half of a nano goes up to the even neighbour: 8 * 4.6875 = 37.5',
    bookOf({ basis: byRates({ 1: 0n, 2: 4_687_500n }) }),
    usageOf({ completionTokens: 8n }),
    38n,
    [[K.OUTPUT, 8n, 4_687_500n, 38n]],
  ],
  [
    'half of a nano goes down to the even neighbour: 0.5',
    bookOf({ basis: byRates({ 1: 500_000n }) }),
    usageOf({ promptTokens: 1n }),
    0n,
    [[K.INPUT, 1n, 500_000n, 0n]],
  ],
  [
    'each line is rounded, not the sum',
    bookOf({ basis: byRates({ 1: 4_688_000n, 2: 4_687_500n }) }),
    usageOf({ promptTokens: 1n, completionTokens: 3n }),
    19n,
    [
      [K.INPUT, 1n, 4_688_000n, 5n],
      [K.OUTPUT, 3n, 4_687_500n, 14n],
    ],
  ],
  [
    'a kind that is free has a line of 0',
    bookOf({ basis: byRates({ ...GPT_4O, 4: 0n }) }),
    usageOf({ promptTokens: 2000n, completionTokens: 10n, details: { cacheWrite5mTokens: 1500n } }),
    1_350_000n,
    [
      [K.INPUT, 500n, 2_500_000_000n, 1_250_000n],
      [K.OUTPUT, 10n, 10_000_000_000n, 100_000n],
      [K.CACHE_WRITE_5M, 1500n, 0n, 0n],
    ],
  ],
  [
    'what is not counted in tokens, in the order of the kinds',
    bookOf({ basis: byRates({ 22: 40_000_000_000_000n, 23: 100_000_000n }) }),
    usageOf({
      quantities: new Map([
        [K.INPUT_MILLISECOND, 61_500n],
        [K.OUTPUT_IMAGE, 3n],
      ]),
    }),
    126_150_000n,
    [
      [K.OUTPUT_IMAGE, 3n, 40_000_000_000_000n, 120_000_000n],
      [K.INPUT_MILLISECOND, 61_500n, 100_000_000n, 6_150_000n],
    ],
  ],
  [
    'a tool call has a fee, and no tokens',
    bookOf({ key: { chargeType: 3, model: '' }, basis: byRates({ 9: 2_500_000_000_000n }) }),
    usageOf({ chargeType: 3, model: '' }),
    2_500_000n,
    [[K.REQUEST, 1n, 2_500_000_000_000n, 2_500_000n]],
  ],
  ['nothing used costs 0', bookOf({ basis: byRates(GPT_4O) }), usageOf({}), 0n, []],
  [
    'the largest amount that there is',
    bookOf({ basis: byRates({ 1: 1_000_000n }) }),
    usageOf({ promptTokens: 2n ** 63n - 1n }),
    2n ** 63n - 1n,
    [[K.INPUT, 2n ** 63n - 1n, 1_000_000n, 2n ** 63n - 1n]],
  ],
];

test.each(PRICED)('priced: %s', (_, book, usage, nanos, lines) => {
  const cost = {
    costNanos: nanos,
    costCurrency: 'USD',
    priceVersion: 1,
    unpricedReason: UnpricedReason.NONE,
    unpricedKinds: 0,
  };

  expect(book.costOf(usage)).toEqual(cost);
  expect(book.costWith(1, usage)).toEqual(cost);
  expect(book.linesWith(1, usage)).toEqual(
    lines.map(([kind, quantity, nanosPerMillion, lineNanos]) => ({
      kind,
      quantity,
      nanosPerMillion,
      nanos: lineNanos,
    })),
  );
});

const MISSING: [title: string, book: PriceBook, usage: Usage, kinds: number[]][] = [
  [
    'a write for 1 hour does not take the 5 minute rate',
    bookOf({ basis: byRates(SONNET) }),
    usageOf({ promptTokens: 10_000n, completionTokens: 100n, details: { cacheWrite1hTokens: 9000n } }),
    [K.CACHE_WRITE_1H],
  ],
  [
    'audio is not text',
    bookOf({ basis: byRates(GPT_4O) }),
    usageOf({ promptTokens: 3000n, completionTokens: 800n, details: { audioInputTokens: 2500n } }),
    [K.AUDIO_INPUT],
  ],
  [
    'all kinds without a rate are named',
    bookOf({ basis: byRates({ 1: 1n }) }),
    usageOf({
      promptTokens: 9n,
      completionTokens: 9n,
      details: { cacheReadTokens: 1n, reasoningTokens: 9n },
      quantities: new Map([[K.OUTPUT_CHARACTER, 1n]]),
    }),
    [K.OUTPUT, K.CACHE_READ, K.OUTPUT_CHARACTER],
  ],
];

test.each(MISSING)('unpriced: %s', (_, book, usage, kinds) => {
  expect(book.costOf(usage)).toEqual({
    costNanos: undefined,
    costCurrency: '',
    priceVersion: 1,
    unpricedReason: UnpricedReason.MISSING_RATE,
    unpricedKinds: kinds.reduce((bits, kind) => bits + 2 ** kind, 0),
  });
  expect(book.linesWith(1, usage)).toEqual([]);
});

test('more than the largest amount is unpriced', () => {
  const book = bookOf({ basis: byRates({ 1: 10n ** 18n, 2: 0n }) });

  expect(book.costOf(usageOf({ promptTokens: 9_223_373n }))).toMatchObject({
    costNanos: undefined,
    priceVersion: 1,
    unpricedReason: UnpricedReason.COST_OUT_OF_RANGE,
  });
  expect(book.linesWith(1, usageOf({ promptTokens: 9_223_373n }))).toEqual([]);
});

test('a sum of lines that each fit can be too large', () => {
  const book = bookOf({ basis: byRates({ 1: 1_000_000n, 2: 1_000_000n }) });

  expect(book.costOf(usageOf({ promptTokens: 2n ** 63n - 2n, completionTokens: 1n })).costNanos).toBe(
    2n ** 63n - 1n,
  );
  expect(book.costOf(usageOf({ promptTokens: 2n ** 63n - 2n, completionTokens: 2n })).unpricedReason).toBe(
    UnpricedReason.COST_OUT_OF_RANGE,
  );
});
