/** Rows for programs: the same fields in JSON and CSV, with every digit. */

import type { Money, UsageKind } from '../../../generated/charge/v1/money.ts';
import type { UsageRow } from '../../../generated/charge/v1/usage_service.ts';
import type { Timestamp } from '../../../generated/google/protobuf/timestamp.ts';
import { decimalText } from '../money.ts';
import { columnOf } from '../prices/kinds.ts';
import type { UsageOptions } from './options.ts';
import { zonedText } from './zone.ts';

/** The counts of a row by their names in the contract. */
export function countsOf(row: UsageRow): Record<string, bigint> {
  return {
    charges: row.charges,
    unpriced_charges: row.unpricedCharges,
    prompt_tokens: row.promptTokens,
    completion_tokens: row.completionTokens,
    total_tokens: row.totalTokens,
  };
}

/** The sums of the token details by their names in the contract. */
export function detailsOf({ tokenDetails: details }: UsageRow): Record<string, bigint> {
  return {
    cache_read_tokens: details?.cacheReadTokens ?? 0n,
    cache_write_5m_tokens: details?.cacheWrite5mTokens ?? 0n,
    cache_write_1h_tokens: details?.cacheWrite1hTokens ?? 0n,
    reasoning_tokens: details?.reasoningTokens ?? 0n,
    audio_input_tokens: details?.audioInputTokens ?? 0n,
    audio_output_tokens: details?.audioOutputTokens ?? 0n,
    image_input_tokens: details?.imageInputTokens ?? 0n,
    image_output_tokens: details?.imageOutputTokens ?? 0n,
  };
}

/** The exact amount in units of the currency: `12.345`. */
export function exactText({ nanos }: Money): string {
  return decimalText(nanos, 9);
}

/** The name of a kind that is not counted in tokens: `search_query`. */
export function kindText(kind: UsageKind): string {
  return columnOf(kind);
}

/** The groups of a row, by their names. Empty: the charges do not have it. */
export function groupFields({ dimensions }: UsageOptions, { group }: UsageRow): Record<string, string> {
  return Object.assign(
    {},
    ...dimensions.map((dimension) => (group ? dimension.fields(group) : {})),
  ) as Record<string, string>;
}

/** With the offset of the zone; null: the range is open. */
export function timeOf(time: Timestamp | undefined, { zone }: UsageOptions): string | null {
  return time ? zonedText(time, zone) : null;
}
