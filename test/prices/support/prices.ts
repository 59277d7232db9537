/** Prices and usage for tests. Whatever a test does not say is the least that is allowed. */

import {
  type Basis,
  type Price,
  type PriceKey,
  PriceBook,
  type RateCard,
  type Usage,
  type UsageDetails,
} from '../../../src/prices/index.ts';

export const KEY: PriceKey = {
  provider: 1,
  otherProvider: '',
  chargeType: 1,
  model: 'm',
  modelMatch: 1,
  serviceTier: 1,
  region: '',
};

/** Kind → nanos for a million units. */
type RateTable = Readonly<Record<number, bigint>>;

export function rateCard(rates: RateTable, ...tiers: [above: bigint, rates: RateTable][]): RateCard {
  return {
    currencyCode: 'USD',
    rates: ratesOf(rates),
    tiers: tiers.map(([abovePromptTokens, table]) => ({ abovePromptTokens, rates: ratesOf(table) })),
  };
}

export function ratesOf(table: RateTable): Map<number, bigint> {
  return new Map(Object.entries(table).map(([kind, rate]) => [Number(kind), rate]));
}

/** The basis of a card with these rates. */
export function byRates(rates: RateTable, ...tiers: [above: bigint, rates: RateTable][]): Basis {
  return { kind: 'rate_card', card: rateCard(rates, ...tiers) };
}

/** A version to put into a book: `bookOf` numbers it. */
export interface PriceSketch {
  readonly key?: Partial<PriceKey>;
  readonly from?: bigint;
  readonly basis: Basis;
}

export function pricesOf(sketches: readonly PriceSketch[]): Price[] {
  return sketches.map(({ key, from = 0n, basis }, index) => ({
    version: index + 1,
    key: { ...KEY, ...key },
    effectiveTimeMicros: from,
    basis,
    source: '',
    note: '',
    createTimeMicros: 0n,
  }));
}

export function bookOf(...sketches: PriceSketch[]): PriceBook {
  const book = new PriceBook();
  book.add(pricesOf(sketches));
  return book;
}

const NO_DETAILS: UsageDetails = {
  cacheReadTokens: 0n,
  cacheWrite5mTokens: 0n,
  cacheWrite1hTokens: 0n,
  reasoningTokens: 0n,
  audioInputTokens: 0n,
  audioOutputTokens: 0n,
  imageInputTokens: 0n,
  imageOutputTokens: 0n,
};

/** Usage of the model of {@link KEY}. */
export function usageOf({ details, ...usage }: Partial<Usage> & { details?: Partial<UsageDetails> }): Usage {
  return {
    provider: 1,
    otherProvider: '',
    chargeType: 1,
    model: 'm',
    serviceTier: 1,
    region: '',
    promptTokens: 0n,
    completionTokens: 0n,
    tokenDetails: details === undefined ? undefined : { ...NO_DETAILS, ...details },
    quantities: new Map(),
    reportedCost: undefined,
    usageTimeMicros: 1_000n,
    ...usage,
  };
}
