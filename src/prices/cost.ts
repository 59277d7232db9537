/** How much a charge costs by the rates of one price version. */

import { NANOS_MAX } from './money.ts';
import {
  type CostLine,
  type RateCard,
  type Rates,
  type Usage,
  type UsageDetails,
  UsageKind,
} from './price.ts';

const MILLION = 1_000_000n;
const HALF_MILLION = 500_000n;
const NO_DETAILS: UsageDetails = {
  cacheReadTokens: 0n,
  cacheWrite5mTokens: 0n,
  cacheWrite1hTokens: 0n,
  reasoningTokens: 0n,
  audioInputTokens: 0n,
  audioOutputTokens: 0n,
  imageInputTokens: 0n,
  imageOutputTokens: 0n,
};

/** What the rates of a card make of a charge: an amount, or the reason why there is none. */
export type CardCost =
  | { readonly nanos: bigint; readonly lines: readonly CostLine[] }
  /** Bit n: kind n was used and has no rate. */
  | { readonly missingKinds: number }
  | 'out_of_range';

/** The cost of a charge by a rate card. The lines are in the order of the kinds; their sum is the amount. */
export function costByCard(card: RateCard, usage: Usage): CardCost {
  const rates = ratesFor(card, usage.promptTokens);
  const lines: CostLine[] = [];
  let nanos = 0n;
  let missingKinds = 0;
  for (const [kind, quantity] of usedKinds(usage, rates)) {
    const nanosPerMillion = rates.get(kind);
    if (nanosPerMillion === undefined) {
      missingKinds |= 1 << kind;
      continue;
    }
    const lineNanos = perMillion(quantity * nanosPerMillion);
    nanos += lineNanos;
    lines.push({ kind, quantity, nanosPerMillion, nanos: lineNanos });
  }
  if (missingKinds !== 0) return { missingKinds };
  // No line is negative: if the sum fits, each line fits.
  return nanos > NANOS_MAX ? 'out_of_range' : { nanos, lines };
}

/** The rates of the highest tier that the prompt exceeds: they price all of the charge. */
function ratesFor(card: RateCard, promptTokens: bigint): Rates {
  let rates = card.rates;
  for (const tier of card.tiers) {
    if (promptTokens <= tier.abovePromptTokens) break;
    rates = tier.rates;
  }
  return rates;
}

/**
 * What a charge used, split into kinds: every token has exactly one. In the order of the kinds, without zeros.
 *
 * Cached tokens come first. Audio and images that do not fit into the rest of the prompt must have been cached, so
 * they are priced once, as cache. Of the completion, reasoning comes first in the same way.
 */
function usedKinds(usage: Usage, rates: Rates): [kind: number, quantity: bigint][] {
  const { promptTokens, completionTokens, quantities } = usage;
  const details = usage.tokenDetails ?? NO_DETAILS;
  const { cacheReadTokens, cacheWrite5mTokens, cacheWrite1hTokens } = details;
  const uncached = promptTokens - cacheReadTokens - cacheWrite5mTokens - cacheWrite1hTokens;
  const audioIn = min(details.audioInputTokens, uncached);
  const imageIn = min(details.imageInputTokens, uncached - audioIn);
  const answer = completionTokens - details.reasoningTokens;
  const audioOut = min(details.audioOutputTokens, answer);
  const imageOut = min(details.imageOutputTokens, answer - audioOut);
  const reasoning = rates.has(UsageKind.REASONING) ? details.reasoningTokens : 0n;

  const used: [number, bigint][] = [];
  const add = (kind: number, quantity: bigint) => {
    if (quantity > 0n) used.push([kind, quantity]);
  };
  add(UsageKind.INPUT, uncached - audioIn - imageIn);
  add(UsageKind.OUTPUT, completionTokens - reasoning - audioOut - imageOut);
  add(UsageKind.CACHE_READ, cacheReadTokens);
  add(UsageKind.CACHE_WRITE_5M, cacheWrite5mTokens);
  add(UsageKind.CACHE_WRITE_1H, cacheWrite1hTokens);
  add(UsageKind.REASONING, reasoning);
  add(UsageKind.AUDIO_INPUT, audioIn);
  add(UsageKind.AUDIO_OUTPUT, audioOut);
  if (rates.has(UsageKind.REQUEST)) used.push([UsageKind.REQUEST, 1n]);
  add(UsageKind.IMAGE_TOKEN_INPUT, imageIn);
  add(UsageKind.IMAGE_TOKEN_OUTPUT, imageOut);
  if (quantities.size > 0) used.push(...[...quantities].sort(([a], [b]) => a - b));
  return used;
}

function min(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}

/** A millionth of a product that is at least 0; a half goes to the even neighbour. */
function perMillion(product: bigint): bigint {
  const whole = product / MILLION;
  const rest = product - whole * MILLION;
  if (rest < HALF_MILLION || (rest === HALF_MILLION && (whole & 1n) === 0n)) return whole;
  return whole + 1n;
}
