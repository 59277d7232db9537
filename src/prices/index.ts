/** What other features and the process roots may use of prices. */

export { kindsOf, toProtoCost, unpricedReasonLabel } from './convert.ts';
export { CURRENCY_CODES } from './currency.ts';
export { priceEntities } from './entity.ts';
export { type Money, NANOS_MAX } from './money.ts';
export {
  type Basis,
  type Cost,
  type CostLine,
  ModelMatch,
  NOT_PRICED,
  type Price,
  type PriceContent,
  type PriceKey,
  type RateCard,
  type Rates,
  type RateTier,
  ServiceTier,
  UnpricedReason,
  type Usage,
  type UsageDetails,
  UsageKind,
} from './price.ts';
export { PriceBook } from './price-book.ts';
export type { PriceCall, PriceReader, Prices } from './ports.ts';
export { PriceBooks } from './store/price-books.ts';
export { createPriceReader } from './store/price-reader.ts';
export { PriceWriter } from './store/price-writer.ts';
