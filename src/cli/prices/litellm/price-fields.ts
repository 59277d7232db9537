/** What the fields of LiteLLM's price map mean. New combinations of the known endings need no new line here. */

import { ServiceTier, UsageKind as Kind } from '../../../../generated/charge/v1/money.ts';
import { POWER } from '../decimal.ts';

/** Which rate a field states. */
export interface PriceField {
  readonly kind: Kind;
  /** See {@link POWER}. */
  readonly power: number;
  readonly serviceTier: ServiceTier;
  /** 0n: for prompts of any length. */
  readonly abovePromptTokens: bigint;
}

/** Sizes of a web search's context that have prices of their own. */
export const SEARCH_SIZES = ['low', 'medium', 'high'] as const;
export type SearchSize = (typeof SEARCH_SIZES)[number];

const KINDS: Readonly<Record<string, Kind>> = {
  input_cost_per_token: Kind.USAGE_KIND_INPUT,
  output_cost_per_token: Kind.USAGE_KIND_OUTPUT,
  cache_read_input_token_cost: Kind.USAGE_KIND_CACHE_READ,
  // DeepSeek's name for it.
  input_cost_per_token_cache_hit: Kind.USAGE_KIND_CACHE_READ,
  cache_creation_input_token_cost: Kind.USAGE_KIND_CACHE_WRITE_5M,
  cache_creation_input_token_cost_above_1hr: Kind.USAGE_KIND_CACHE_WRITE_1H,
  output_cost_per_reasoning_token: Kind.USAGE_KIND_REASONING,
  input_cost_per_audio_token: Kind.USAGE_KIND_AUDIO_INPUT,
  output_cost_per_audio_token: Kind.USAGE_KIND_AUDIO_OUTPUT,
  input_cost_per_image_token: Kind.USAGE_KIND_IMAGE_TOKEN_INPUT,
  output_cost_per_image_token: Kind.USAGE_KIND_IMAGE_TOKEN_OUTPUT,
  input_cost_per_request: Kind.USAGE_KIND_REQUEST,
  input_cost_per_query: Kind.USAGE_KIND_SEARCH_QUERY,
  search_context_cost_per_query: Kind.USAGE_KIND_SEARCH_QUERY,
  input_cost_per_image: Kind.USAGE_KIND_INPUT_IMAGE,
  output_cost_per_image: Kind.USAGE_KIND_OUTPUT_IMAGE,
  input_cost_per_second: Kind.USAGE_KIND_INPUT_MILLISECOND,
  input_cost_per_audio_per_second: Kind.USAGE_KIND_INPUT_MILLISECOND,
  input_cost_per_video_per_second: Kind.USAGE_KIND_INPUT_MILLISECOND,
  output_cost_per_second: Kind.USAGE_KIND_OUTPUT_MILLISECOND,
  output_cost_per_video_per_second: Kind.USAGE_KIND_OUTPUT_MILLISECOND,
  input_cost_per_character: Kind.USAGE_KIND_INPUT_CHARACTER,
  output_cost_per_character: Kind.USAGE_KIND_OUTPUT_CHARACTER,
};

const SERVICE_TIERS: Readonly<Record<string, ServiceTier>> = {
  batches: ServiceTier.SERVICE_TIER_BATCH,
  batch_requests: ServiceTier.SERVICE_TIER_BATCH,
  flex: ServiceTier.SERVICE_TIER_FLEX,
  priority: ServiceTier.SERVICE_TIER_PRIORITY,
};

/** Endings that stand in any order after the name of a kind. */
const ENDING = /_(?:above_(?<thousands>\d{1,6})k_tokens|(?<tier>batches|batch_requests|flex|priority))$/;

/** Whether a field is about money at all. */
export function isPriceField(name: string): boolean {
  return /cost|price|pricing/.test(name);
}

/** Which rate a field states. Undefined: no usage kind stands for it. */
export function readPriceField(name: string): PriceField | undefined {
  let rest = name;
  let serviceTier: ServiceTier = ServiceTier.SERVICE_TIER_STANDARD;
  let abovePromptTokens = 0n;
  for (let match = ENDING.exec(rest); match; match = ENDING.exec(rest)) {
    const { thousands, tier = '' } = match.groups ?? {};
    if (thousands !== undefined) abovePromptTokens = BigInt(thousands) * 1000n;
    else serviceTier = SERVICE_TIERS[tier] ?? serviceTier;
    rest = rest.slice(0, match.index);
  }
  const kind = Object.hasOwn(KINDS, rest) ? KINDS[rest] : undefined;
  if (kind === undefined) return undefined;
  const power = rest.endsWith('per_second') ? POWER.perThousand : POWER.perOne;
  return { kind, power, serviceTier, abovePromptTokens };
}
