/** The check of CreatePriceRequest, alone or in a batch. */

import {
  CreatePriceRequest,
  type Price,
  type PriceKey,
  type RateCard,
} from '../../../generated/charge/v1/price_service.ts';
import type { Check, ContractRules } from '../../grpc/validation.ts';

/** The check of one version to add. */
export function createPriceCheck(rules: ContractRules): Check<CreatePriceRequest> {
  const check = rules.checkOf('charge.v1.CreatePriceRequest', CreatePriceRequest);
  return (request) => check(bounded(request));
}

// Four times what any text may have, and one rate or tier more than a card may have: what is cut off breaks a rule
// either way. Without this, a text of 1 MiB takes the rules 260 ms, and many rates take longer.
const TEXT_UNITS_MAX = 1024;
const RATES_MAX = 21;
const TIERS_MAX = 9;

function bounded({ price, requestId, allowPast }: CreatePriceRequest): CreatePriceRequest {
  return { price: price && boundedPrice(price), requestId: cut(requestId), allowPast };
}

function boundedPrice(price: Price): Price {
  return {
    key: price.key && boundedKey(price.key),
    effectiveTime: price.effectiveTime,
    basis: boundedBasis(price.basis),
    source: cut(price.source),
    note: cut(price.note),
    // Set by the server and ignored in requests.
    version: 0n,
    createTime: undefined,
  };
}

function boundedKey(key: PriceKey): PriceKey {
  return {
    ...key,
    otherProvider: cut(key.otherProvider),
    model: cut(key.model),
    region: cut(key.region),
  };
}

function boundedBasis(basis: Price['basis']): Price['basis'] {
  if (basis?.$case === 'rateCard') return { ...basis, value: boundedCard(basis.value) };
  if (basis?.$case === 'alias') return { ...basis, value: { model: cut(basis.value.model) } };
  return basis;
}

function boundedCard({ currencyCode, rates, tiers }: RateCard): RateCard {
  return {
    currencyCode: cut(currencyCode),
    rates: rates.slice(0, RATES_MAX),
    tiers: tiers.slice(0, TIERS_MAX).map((tier) => ({ ...tier, rates: tier.rates.slice(0, RATES_MAX) })),
  };
}

function cut(text: string): string {
  return text.length > TEXT_UNITS_MAX ? text.slice(0, TEXT_UNITS_MAX) : text;
}
