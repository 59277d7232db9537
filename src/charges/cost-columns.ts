/** How a cost is stored: in the row of its charge, and again in a revision. */

import {
  optionalBigint,
  optionalInteger,
  optionalSmallint,
  optionalText,
} from '../database/types/optional.ts';

/** The columns of a cost, the same for the cost that a charge was recorded with and for a later one. */
export const costColumns = () => ({
  /** Billionths of the currency's unit; undefined: UNPRICED. */
  costNanos: optionalBigint(),
  /** ISO 4217; empty: UNPRICED. */
  costCurrency: optionalText(),
  /** The version that made the cost, or that lacks a rate; 0: none applied. */
  priceVersion: optionalInteger(),
  /** A number of `charge.v1.UnpricedReason`; 0: priced. */
  unpricedReason: optionalSmallint(),
  /** The kinds without a rate: bit n stands for the kind n of `charge.v1.UsageKind`. */
  unpricedKinds: optionalInteger(),
});

/** The same columns in SQL. */
export const COST_COLUMNS = [
  'cost_nanos',
  'cost_currency',
  'price_version',
  'unpriced_reason',
  'unpriced_kinds',
] as const;
