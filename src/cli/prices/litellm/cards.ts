/** Rates of one entry, put together to rate cards: one for each service tier. */

import { ServiceTier, UsageKind as Kind } from '../../../../generated/charge/v1/money.ts';
import type { Rate, RateCard, RateTier } from '../../../../generated/charge/v1/price_service.ts';
import { columnOf, isTokens } from '../kinds.ts';
import type { Copied } from '../price-file.ts';
import type { StatedRate } from './rates.ts';

/** The cards of an entry. */
export interface Cards {
  readonly cards: readonly { readonly serviceTier: ServiceTier; readonly card: RateCard }[];
  /** Fields that are in no card although their kinds are known. */
  readonly ignored: readonly string[];
  readonly copied: readonly Copied[];
  /** Why the entry has no cards. */
  readonly fault: string | undefined;
}

const TIERS: readonly ServiceTier[] = Object.values(ServiceTier).filter((tier) => tier > 0);

/** Makes the cards. A card or a tier of zeros only is left out unless `zeroMeansFree`. */
export function makeCards(entry: string, stated: readonly StatedRate[], zeroMeansFree: boolean): Cards {
  const { rates, ignored } = withoutAlternates(stated);
  const twice = rates.find((rate) =>
    rates.some((other) => isSameSlot(rate, other) && rate.nanosPerMillion !== other.nanosPerMillion),
  );
  if (twice) return { cards: [], ignored, copied: [], fault: `two prices for ${columnOf(twice.kind)}` };
  const copied: Copied[] = [];
  const cards = TIERS.flatMap((serviceTier) => {
    const ofTier = rates.filter((rate) => rate.serviceTier === serviceTier);
    const base = ratesAbove(ofTier, 0n);
    if (base.length === 0 || !(zeroMeansFree || hasPrice(ofTier))) return [];
    const limits = [...new Set(ofTier.map((rate) => rate.abovePromptTokens))].filter((limit) => limit > 0n);
    const tiers = limits.flatMap((abovePromptTokens): RateTier[] => {
      const own = ratesAbove(ofTier, abovePromptTokens);
      if (!zeroMeansFree && !own.some((rate) => rate.nanosPerMillion > 0n)) {
        ignored.push(...fieldsAbove(ofTier, abovePromptTokens));
        return [];
      }
      const missing = base.filter(({ kind }) => !own.some((rate) => rate.kind === kind));
      // A search costs the same whatever the length of the prompt. Tokens might not.
      const doubtful = missing.filter(({ kind }) => isTokens(kind));
      if (doubtful.length > 0)
        copied.push({ entry, abovePromptTokens, kinds: doubtful.map(({ kind }) => columnOf(kind)) });
      return [{ abovePromptTokens, rates: sorted([...own, ...missing]) }];
    });
    return [{ serviceTier, card: { currencyCode: 'USD', rates: base, tiers } }];
  });
  return { cards, ignored, copied, fault: undefined };
}

/**
 * Where tokens have prices, those of images, seconds and characters are other ways to count the same usage.
 * What costs the same by the second in and out, as with whisper-1, has one price that is stated twice.
 */
function withoutAlternates(stated: readonly StatedRate[]): { rates: StatedRate[]; ignored: string[] } {
  const hasTokens = stated.some(({ kind, nanosPerMillion }) => isTokens(kind) && nanosPerMillion > 0n);
  const isAlternate = (rate: StatedRate): boolean =>
    (hasTokens && rate.kind > Kind.USAGE_KIND_SEARCH_QUERY) ||
    (rate.kind === Kind.USAGE_KIND_OUTPUT_MILLISECOND &&
      rate.nanosPerMillion > 0n &&
      stated.some(
        (other) =>
          other.kind === Kind.USAGE_KIND_INPUT_MILLISECOND && other.nanosPerMillion === rate.nanosPerMillion,
      ));
  return {
    rates: stated.filter((rate) => !isAlternate(rate)),
    ignored: stated
      .filter((rate) => isAlternate(rate) && rate.nanosPerMillion > 0n)
      .map(({ field }) => field),
  };
}

function isSameSlot(a: StatedRate, b: StatedRate): boolean {
  return a.kind === b.kind && a.serviceTier === b.serviceTier && a.abovePromptTokens === b.abovePromptTokens;
}

function hasPrice(rates: readonly StatedRate[]): boolean {
  return rates.some((rate) => rate.nanosPerMillion > 0n);
}

/** In the order of the kinds, each once. */
function ratesAbove(stated: readonly StatedRate[], limit: bigint): Rate[] {
  const rates = stated.filter((rate) => rate.abovePromptTokens === limit);
  return sorted([
    ...new Map(rates.map(({ kind, nanosPerMillion }) => [kind, { kind, nanosPerMillion }])).values(),
  ]);
}

function fieldsAbove(stated: readonly StatedRate[], limit: bigint): string[] {
  return stated.filter((rate) => rate.abovePromptTokens === limit).map(({ field }) => field);
}

function sorted(rates: Rate[]): Rate[] {
  return rates.sort((a, b) => a.kind - b.kind);
}
