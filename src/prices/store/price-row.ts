/** Rows of the table of prices: from versions, and back. */

import type { PriceRow } from '../entity.ts';
import type { Basis, Price, RateCard, Rates } from '../price.ts';

/** Numbers of the column `basis`. */
const BASIS = { rate_card: 1, alias: 2, reported: 3, withdrawn: 4 } as const;

/** The column `rates`: nanos per million by kind, all of them texts, because many readers take numbers for floats. */
interface StoredRates {
  readonly rates: Readonly<Record<string, string>>;
  readonly tiers: readonly { readonly above: string; readonly rates: Readonly<Record<string, string>> }[];
}

/** The row of a version, and the request that made it. */
export function priceRow(tenant: string, requestId: string, price: Price): PriceRow {
  const { version, key, effectiveTimeMicros, basis, source, note, createTimeMicros } = price;
  const card = basis.kind === 'rate_card' ? basis.card : undefined;
  return {
    tenant,
    version,
    ...key,
    effectiveTimeMicros,
    basis: BASIS[basis.kind],
    currencyCode: card?.currencyCode ?? '',
    aliasModel: basis.kind === 'alias' ? basis.model : '',
    rates: card && storedRates(card),
    source,
    note,
    requestId,
    createTimeMicros,
  };
}

function storedRates({ rates, tiers }: RateCard): StoredRates {
  return {
    rates: textsOf(rates),
    tiers: tiers.map((tier) => ({ above: String(tier.abovePromptTokens), rates: textsOf(tier.rates) })),
  };
}

function textsOf(rates: Rates): Record<string, string> {
  return Object.fromEntries([...rates].map(([kind, rate]) => [kind, String(rate)]));
}

/** The version that a row holds. */
export function priceOf(row: PriceRow): Price {
  const { provider, otherProvider, chargeType, model, modelMatch, serviceTier, region } = row;
  return {
    version: row.version,
    key: { provider, otherProvider, chargeType, model, modelMatch, serviceTier, region },
    effectiveTimeMicros: row.effectiveTimeMicros,
    basis: basisOf(row),
    source: row.source,
    note: row.note,
    createTimeMicros: row.createTimeMicros,
  };
}

function basisOf({ basis, aliasModel, currencyCode, rates }: PriceRow): Basis {
  switch (basis) {
    case BASIS.rate_card:
      return { kind: 'rate_card', card: cardOf(currencyCode, rates as StoredRates) };
    case BASIS.alias:
      return { kind: 'alias', model: aliasModel };
    case BASIS.reported:
      return { kind: 'reported' };
    case BASIS.withdrawn:
      return { kind: 'withdrawn' };
    default:
      throw new RangeError(`no basis has the number ${basis}`);
  }
}

function cardOf(currencyCode: string, { rates, tiers }: StoredRates): RateCard {
  return {
    currencyCode,
    rates: ratesOf(rates),
    tiers: tiers.map((tier) => ({ abovePromptTokens: BigInt(tier.above), rates: ratesOf(tier.rates) })),
  };
}

function ratesOf(stored: Readonly<Record<string, string>>): Rates {
  return new Map(Object.entries(stored).map(([kind, rate]) => [Number(kind), BigInt(rate)]));
}
