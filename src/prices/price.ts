/** What a price is, apart from how it travels and how it is stored. */

import type { Money } from './money.ts';

/** Numbers of `charge.v1.UsageKind`. */
export const UsageKind = {
  INPUT: 1,
  OUTPUT: 2,
  CACHE_READ: 3,
  CACHE_WRITE_5M: 4,
  CACHE_WRITE_1H: 5,
  REASONING: 6,
  AUDIO_INPUT: 7,
  AUDIO_OUTPUT: 8,
  REQUEST: 9,
  IMAGE_TOKEN_INPUT: 10,
  IMAGE_TOKEN_OUTPUT: 11,
  SEARCH_QUERY: 20,
  INPUT_IMAGE: 21,
  OUTPUT_IMAGE: 22,
  INPUT_MILLISECOND: 23,
  OUTPUT_MILLISECOND: 24,
  INPUT_CHARACTER: 25,
  OUTPUT_CHARACTER: 26,
} as const;

/** Numbers of `charge.v1.ModelMatch`. */
export const ModelMatch = { EXACT: 1, PREFIX: 2 } as const;

/** Numbers of `charge.v1.ServiceTier`. */
export const ServiceTier = { STANDARD: 1, BATCH: 2, FLEX: 3, PRIORITY: 4 } as const;

/** Numbers of `charge.v1.UnpricedReason`. */
export const UnpricedReason = {
  /** The charge has a cost. */
  NONE: 0,
  NO_PRICE: 1,
  MISSING_RATE: 2,
  WITHDRAWN: 3,
  NO_REPORTED_COST: 4,
  COST_OUT_OF_RANGE: 5,
} as const;

/** What a price applies to. Versions with equal keys are versions of one price. */
export interface PriceKey {
  readonly provider: number;
  readonly otherProvider: string;
  readonly chargeType: number;
  /** Empty: any model without a price of its own. */
  readonly model: string;
  /** A {@link ModelMatch}; never unspecified. */
  readonly modelMatch: number;
  /** A {@link ServiceTier}; never unspecified. */
  readonly serviceTier: number;
  /** Empty: any region without a price of its own. */
  readonly region: string;
}

/** A version of a price. */
export interface Price {
  /** 1, 2, 3 … per tenant without a gap, in the order in which they were added. */
  readonly version: number;
  readonly key: PriceKey;
  /** From when on it is in force, inclusive. Microseconds since the Unix epoch. */
  readonly effectiveTimeMicros: bigint;
  readonly basis: Basis;
  readonly source: string;
  readonly note: string;
  /** Microseconds since the Unix epoch. */
  readonly createTimeMicros: bigint;
}

/** What a caller says about a price. */
export interface PriceContent {
  readonly key: PriceKey;
  /** Microseconds since the Unix epoch; undefined: when it is added. */
  readonly effectiveTimeMicros: bigint | undefined;
  readonly basis: Basis;
  readonly source: string;
  readonly note: string;
}

/** How a cost is computed. */
export type Basis =
  | { readonly kind: 'rate_card'; readonly card: RateCard }
  /** Like another model of the same provider, charge type, tier and region. */
  | { readonly kind: 'alias'; readonly model: string }
  /** The cost is what the caller reports. */
  | { readonly kind: 'reported' }
  /** There is no price any more. */
  | { readonly kind: 'withdrawn' };

/** Usage kind → billionths of the currency's unit for 1,000,000 of it. */
export type Rates = ReadonlyMap<number, bigint>;

/** The rates of a price. */
export interface RateCard {
  /** ISO 4217 code. */
  readonly currencyCode: string;
  readonly rates: Rates;
  /** The lowest first. */
  readonly tiers: readonly RateTier[];
}

/** The rates for all of a charge that has more prompt tokens than this. */
export interface RateTier {
  readonly abovePromptTokens: bigint;
  readonly rates: Rates;
}

/** What pricing needs to know of a charge. The counts obey the contract's rules for `Charge`. */
export interface Usage {
  readonly provider: number;
  readonly otherProvider: string;
  readonly chargeType: number;
  readonly model: string;
  /** A {@link ServiceTier}; never unspecified. */
  readonly serviceTier: number;
  readonly region: string;
  readonly promptTokens: bigint;
  readonly completionTokens: bigint;
  readonly tokenDetails: UsageDetails | undefined;
  /** Usage kind → amount, for what is not counted in tokens. */
  readonly quantities: ReadonlyMap<number, bigint>;
  readonly reportedCost: Money | undefined;
  /** Microseconds since the Unix epoch. */
  readonly usageTimeMicros: bigint;
}

/** What decides which version prices a charge. */
export type UsageKey = Pick<
  Usage,
  'provider' | 'otherProvider' | 'chargeType' | 'model' | 'serviceTier' | 'region' | 'usageTimeMicros'
>;

/** The parts of the token counts that have rates of their own. */
export interface UsageDetails {
  readonly cacheReadTokens: bigint;
  readonly cacheWrite5mTokens: bigint;
  readonly cacheWrite1hTokens: bigint;
  readonly reasoningTokens: bigint;
  readonly audioInputTokens: bigint;
  readonly audioOutputTokens: bigint;
  readonly imageInputTokens: bigint;
  readonly imageOutputTokens: bigint;
}

/** What a charge costs. */
export interface Cost {
  /** Billionths of the currency's unit; undefined: the charge is UNPRICED, which is not 0. */
  costNanos: bigint | undefined;
  /** ISO 4217 code; empty if the charge is UNPRICED. */
  costCurrency: string;
  /** The version that made the cost, or that made it UNPRICED; 0: no price applied. */
  priceVersion: number;
  /** An {@link UnpricedReason}. */
  unpricedReason: number;
  /** Bit n: kind n was used and has no rate. 0 unless the reason is MISSING_RATE. */
  unpricedKinds: number;
}

/** The cost of a charge that no price applied to, or that has not been priced yet. */
export const NOT_PRICED: Readonly<Cost> = {
  costNanos: undefined,
  costCurrency: '',
  priceVersion: 0,
  unpricedReason: UnpricedReason.NO_PRICE,
  unpricedKinds: 0,
};

/** The part of one kind in a cost. */
export interface CostLine {
  readonly kind: number;
  readonly quantity: bigint;
  readonly nanosPerMillion: bigint;
  /** `quantity * nanosPerMillion / 1,000,000`; a half goes to the even neighbour. */
  readonly nanos: bigint;
}
