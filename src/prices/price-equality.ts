/** Whether two prices say the same. */

import type { Basis, Price, PriceContent, PriceKey, RateCard, Rates } from './price.ts';

/** The members of a key and their names in the contract. */
const KEY_FIELDS: readonly (readonly [keyof PriceKey, string])[] = [
  ['provider', 'provider'],
  ['otherProvider', 'other_provider'],
  ['chargeType', 'charge_type'],
  ['model', 'model'],
  ['modelMatch', 'model_match'],
  ['serviceTier', 'service_tier'],
  ['region', 'region'],
];

/** The first field in which a request differs from the version that its id made, as a path from the request. */
export function firstPriceDifference(content: PriceContent, price: Price): string | undefined {
  for (const [member, field] of KEY_FIELDS) {
    if (content.key[member] !== price.key[member]) return `price.key.${field}`;
  }
  // An absent time was replaced by the time of creation.
  if ((content.effectiveTimeMicros ?? price.createTimeMicros) !== price.effectiveTimeMicros) {
    return 'price.effective_time';
  }
  if (!sameBasis(content.basis, price.basis)) return `price.${content.basis.kind}`;
  if (content.source !== price.source) return 'price.source';
  return content.note === price.note ? undefined : 'price.note';
}

/** Whether two prices make the same cost of everything. */
export function sameBasis(a: Basis, b: Basis): boolean {
  if (a.kind === 'rate_card') return b.kind === 'rate_card' && sameCard(a.card, b.card);
  if (a.kind === 'alias') return b.kind === 'alias' && a.model === b.model;
  return a.kind === b.kind;
}

function sameCard(a: RateCard, b: RateCard): boolean {
  return (
    a.currencyCode === b.currencyCode &&
    sameRates(a.rates, b.rates) &&
    a.tiers.length === b.tiers.length &&
    a.tiers.every((tier, index) => {
      const other = b.tiers[index];
      return other?.abovePromptTokens === tier.abovePromptTokens && sameRates(tier.rates, other.rates);
    })
  );
}

function sameRates(a: Rates, b: Rates): boolean {
  return a.size === b.size && [...a].every(([kind, rate]) => b.get(kind) === rate);
}
