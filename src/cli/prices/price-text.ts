/** Prices as text: for comparing them, and for people. */

import { ChargeType, Provider } from '../../../generated/charge/v1/charge.ts';
import { ServiceTier } from '../../../generated/charge/v1/money.ts';
import {
  ModelMatch,
  type Price,
  type PriceKey,
  type Rate,
  type RateCard,
} from '../../../generated/charge/v1/price_service.ts';
import { columnOf, rateText } from './kinds.ts';

/** Equal if and only if two keys are equal as the service compares them. */
export function keyText(key: PriceKey | undefined): string {
  if (!key) return '';
  return JSON.stringify([
    key.provider,
    key.otherProvider,
    key.chargeType,
    key.model,
    key.modelMatch || ModelMatch.MODEL_MATCH_EXACT,
    key.serviceTier || ServiceTier.SERVICE_TIER_STANDARD,
    key.region,
  ]);
}

/** Equal if and only if two prices say the same about the cost. The order of rates and tiers does not matter. */
export function basisText({ basis }: Price): string {
  if (basis?.$case === 'alias') return `alias of ${basis.value.model}`;
  if (basis?.$case !== 'rateCard') return basis?.$case ?? 'nothing';
  const { currencyCode, rates, tiers } = basis.value;
  const sorted = [...tiers].sort((a, b) => (a.abovePromptTokens < b.abovePromptTokens ? -1 : 1));
  return [
    `${currencyCode} ${ratesText(rates)}`,
    ...sorted.map((tier) => `above ${tier.abovePromptTokens} prompt tokens ${ratesText(tier.rates)}`),
  ].join('; ');
}

/** `input 2.5, output 10`: per million tokens, or per one of what is not counted in tokens. */
export function ratesText(rates: readonly Rate[]): string {
  return [...rates]
    .sort((a, b) => a.kind - b.kind)
    .map(({ kind, nanosPerMillion }) => `${columnOf(kind)} ${rateText(kind, nanosPerMillion)}`)
    .join(', ');
}

/** A key for people: `openai gpt-4o, batch`. */
export function describeKey(key: PriceKey): string {
  const provider =
    key.provider === Provider.PROVIDER_OTHER ? key.otherProvider : shortName(Provider, key.provider);
  const model = key.model === '' ? '(any model)' : key.model;
  const parts = [
    `${provider} ${model}${key.modelMatch === ModelMatch.MODEL_MATCH_PREFIX ? '*' : ''}`,
    ...(key.chargeType === ChargeType.CHARGE_TYPE_COMPLETION ? [] : [shortName(ChargeType, key.chargeType)]),
    ...(key.serviceTier > ServiceTier.SERVICE_TIER_STANDARD ? [shortName(ServiceTier, key.serviceTier)] : []),
    ...(key.region === '' ? [] : [`region ${key.region}`]),
  ];
  return parts.join(', ');
}

/** The name of an enum value in the contract. */
export function nameOf(values: Readonly<Record<string, number>>, value: number): string {
  return Object.entries(values).find(([, number]) => number === value)?.[0] ?? String(value);
}

/** The name of an enum value without what all of its enum share, in lower case: `batch`. */
export function shortName(values: Readonly<Record<string, number>>, value: number): string {
  const prefix = nameOf(values, 0).replace(/UNSPECIFIED$/, '');
  return nameOf(values, value).slice(prefix.length).toLowerCase();
}

/** The rate card of a price; undefined: its basis is another one. */
export function cardOf({ basis }: Price): RateCard | undefined {
  return basis?.$case === 'rateCard' ? basis.value : undefined;
}
