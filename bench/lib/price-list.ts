/**
 * Prices for the models of the workload, among as many others as a public catalogue has. All of them are made up, and
 * the same in every run. Rates are whole billionths of a dollar for a token, so that no cost is rounded and SQL can
 * compute it (`fill.ts`).
 */

import { ChargeType, type Provider } from '../../generated/charge/v1/charge.ts';
import { ServiceTier, UsageKind } from '../../generated/charge/v1/money.ts';
import { type CreatePriceRequest, ModelMatch, type Rate } from '../../generated/charge/v1/price_service.ts';
import { MODELS } from './workload.ts';

/** How many versions {@link priceRequests} makes. */
const PRICES = 1_500;
/** Providers of the contract that are numbered without a gap. */
const PROVIDERS = 18;

/** A prompt with more tokens than this doubles the rates: a tenth of the workload's. */
export const TIER_ABOVE = 5_600;
export const TIER_FACTOR = 2;

/** Nanos of a token. */
export interface TokenRates {
  readonly input: number;
  readonly output: number;
}

/** The rates of the model with this place in the list. Those of the workload come first: their version is place + 1. */
export function ratesOf(place: number): TokenRates {
  const input = 100 + ((place * 370) % 4_900);
  return { input, output: 4 * input };
}

/** One version for each model, in an order that makes their numbers 1, 2, 3 … in an empty database. */
export function priceRequests(): CreatePriceRequest[] {
  return Array.from({ length: PRICES }, (_, place) => {
    const key = MODELS[place] ?? { provider: (1 + (place % PROVIDERS)) as Provider, model: `model-${place}` };
    return priceRequest(key, ratesOf(place), `list-${place}`);
  });
}

/** Other prices of the workload's models from the beginning on: all of them `factor` times as high. */
export function changedPrices(factor: number): CreatePriceRequest[] {
  return MODELS.map((key, place) => {
    const { input, output } = ratesOf(place);
    return priceRequest(key, { input: factor * input, output: factor * output }, `times-${factor}-${place}`);
  });
}

function priceRequest(
  { provider, model }: { readonly provider: Provider; readonly model: string },
  rates: TokenRates,
  requestId: string,
): CreatePriceRequest {
  return {
    requestId,
    allowPast: true,
    price: {
      version: 0n,
      key: {
        provider,
        otherProvider: '',
        chargeType: ChargeType.CHARGE_TYPE_COMPLETION,
        model,
        modelMatch: ModelMatch.MODEL_MATCH_EXACT,
        serviceTier: ServiceTier.SERVICE_TIER_STANDARD,
        region: '',
      },
      effectiveTime: { seconds: EFFECTIVE_SECONDS, nanos: 0 },
      basis: {
        $case: 'rateCard',
        value: {
          currencyCode: 'USD',
          rates: cardOf(rates, 1),
          tiers: [{ abovePromptTokens: BigInt(TIER_ABOVE), rates: cardOf(rates, TIER_FACTOR) }],
        },
      },
      source: 'bench',
      note: '',
      createTime: undefined,
    },
  };
}

/** 2020-01-01, before all usage. */
const EFFECTIVE_SECONDS = 1_577_836_800n;
const TOKENS_PER_MILLION = 1_000_000n;

function cardOf({ input, output }: TokenRates, factor: number): Rate[] {
  const rate = (kind: UsageKind, nanosPerToken: number): Rate => ({
    kind,
    nanosPerMillion: BigInt(Math.round(nanosPerToken * factor)) * TOKENS_PER_MILLION,
  });
  return [
    rate(UsageKind.USAGE_KIND_INPUT, input),
    rate(UsageKind.USAGE_KIND_OUTPUT, output),
    rate(UsageKind.USAGE_KIND_CACHE_READ, input / 10),
    rate(UsageKind.USAGE_KIND_CACHE_WRITE_5M, input * 1.25),
    rate(UsageKind.USAGE_KIND_CACHE_WRITE_1H, input * 2),
    rate(UsageKind.USAGE_KIND_AUDIO_INPUT, input * 4),
    rate(UsageKind.USAGE_KIND_AUDIO_OUTPUT, output * 4),
  ];
}
