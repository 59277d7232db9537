/** Amounts of money. Integers only: no amount ever passes through a float. */

/** An amount in one currency. */
export interface Money {
  /** ISO 4217 code: "USD". */
  readonly currencyCode: string;
  /** Billionths of the currency's unit: 7,500,000 is 0.0075. At most {@link NANOS_MAX}. */
  readonly nanos: bigint;
}

/** The largest amount that a signed 64-bit integer holds: 9.2 billion units. */
export const NANOS_MAX = 9_223_372_036_854_775_807n;
