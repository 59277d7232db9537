/** The fields of a charge that a file can fill. */

import { UsageKind } from '../../../generated/charge/v1/money.ts';
import type { Reader, SetCount } from './draft.ts';
import {
  detail,
  quantity,
  readCallOutcome,
  readChargeType,
  readCost,
  readCount,
  readCurrency,
  readModel,
  readOffset,
  readProvider,
  readSeconds,
  readServiceTier,
  readTime,
  text,
} from './readers.ts';

/** Where a cell goes: a field of the charge or one of its labels. */
export interface Field {
  /** As `--map` and `--set` take it: `prompt_tokens`, `token_details.reasoning_tokens`, `label.team`. */
  readonly name: string;
  /** Path from the request, as the service writes it: `charge.labels["team"]`. */
  readonly path: string;
  /** A count. Only counts can be added up. */
  readonly isCount: boolean;
  readonly read: Reader;
}

const COUNTS: Readonly<Record<string, SetCount>> = {
  prompt_tokens: ({ charge }, tokens) => (charge.promptTokens = tokens),
  completion_tokens: ({ charge }, tokens) => (charge.completionTokens = tokens),
  total_tokens: ({ charge }, tokens) => (charge.totalTokens = tokens),
  'token_details.cache_read_tokens': detail('cacheReadTokens'),
  'token_details.cache_write_5m_tokens': detail('cacheWrite5mTokens'),
  'token_details.cache_write_1h_tokens': detail('cacheWrite1hTokens'),
  'token_details.reasoning_tokens': detail('reasoningTokens'),
  'token_details.audio_input_tokens': detail('audioInputTokens'),
  'token_details.audio_output_tokens': detail('audioOutputTokens'),
  'token_details.image_input_tokens': detail('imageInputTokens'),
  'token_details.image_output_tokens': detail('imageOutputTokens'),
  search_queries: quantity(UsageKind.USAGE_KIND_SEARCH_QUERY),
  input_images: quantity(UsageKind.USAGE_KIND_INPUT_IMAGE),
  output_images: quantity(UsageKind.USAGE_KIND_OUTPUT_IMAGE),
  input_milliseconds: quantity(UsageKind.USAGE_KIND_INPUT_MILLISECOND),
  output_milliseconds: quantity(UsageKind.USAGE_KIND_OUTPUT_MILLISECOND),
  input_characters: quantity(UsageKind.USAGE_KIND_INPUT_CHARACTER),
  output_characters: quantity(UsageKind.USAGE_KIND_OUTPUT_CHARACTER),
  cache_write_tokens: (draft, tokens) => (draft.cacheWriteTokens = tokens),
};

const READERS: Readonly<Record<string, Reader>> = {
  user_profile: text('userProfile'),
  session_key: text('sessionKey'),
  provider: readProvider,
  other_provider: text('otherProvider'),
  charge_type: readChargeType,
  ...Object.fromEntries(Object.entries(COUNTS).map(([name, set]) => [name, readCount(set)])),
  model: readModel,
  reference: text('reference'),
  usage_time: readTime,
  service_tier: readServiceTier,
  region: text('region'),
  input_seconds: readSeconds(UsageKind.USAGE_KIND_INPUT_MILLISECOND),
  output_seconds: readSeconds(UsageKind.USAGE_KIND_OUTPUT_MILLISECOND),
  reported_cost: readCost(9),
  reported_currency: readCurrency,
  call_outcome: readCallOutcome,
};

/** Fields that only layouts fill: times of traces that count from 0, and costs in another unit. */
const LAYOUT_FIELDS: Readonly<Record<string, Pick<Field, 'path' | 'read'>>> = {
  'offset in seconds': { path: 'charge.usage_time', read: readOffset(1000) },
  'offset in milliseconds': { path: 'charge.usage_time', read: readOffset(1) },
  'reported_cost in cents': { path: 'charge.reported_cost', read: readCost(7) },
  'reported_cost in nanos': { path: 'charge.reported_cost', read: readCost(0) },
};

/** Every name that `--map` and `--set` take, but for labels. */
export const FIELD_NAMES: readonly string[] = Object.keys(READERS);

/**
 * Finds a field by the name that `--map` and `--set` take. Parts of the token details may come
 * without `token_details.`. Undefined: there is no such field, or the server sets it.
 */
export function fieldNamed(name: string): Field | undefined {
  const key = /^labels?\.(.+)$/s.exec(name)?.[1];
  if (key !== undefined) return labelField(key);
  const full = [name, `token_details.${name}`].find((candidate) => Object.hasOwn(READERS, candidate));
  const read = READERS[full ?? ''];
  if (full === undefined || !read) return undefined;
  return { name: full, path: `charge.${full}`, isCount: Object.hasOwn(COUNTS, full), read };
}

/** Field of a layout: one of {@link fieldNamed} or of its own. Throws if the table of layouts has a wrong name. */
export function layoutField(name: string): Field {
  const own = LAYOUT_FIELDS[name];
  const field = own ? { name, isCount: false, ...own } : fieldNamed(name);
  if (!field) throw new Error(`there is no field ${name}`);
  return field;
}

/** The label with this key. */
export function labelField(key: string): Field {
  const read: Reader = ({ charge }, value) => void charge.labels.set(key, value);
  return { name: `label.${key}`, path: `charge.labels[${JSON.stringify(key)}]`, isCount: false, read };
}
