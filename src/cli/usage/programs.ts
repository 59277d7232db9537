/** Rows for programs: the same fields in JSON and CSV, with every digit. */

import type { TokenDetails } from '../../../generated/charge/v1/charge.ts';
import type { Money, UsageKind } from '../../../generated/charge/v1/money.ts';
import type { UsageRow } from '../../../generated/charge/v1/usage_service.ts';
import type { Timestamp } from '../../../generated/google/protobuf/timestamp.ts';
import { decimalText } from '../money.ts';
import { columnOf } from '../prices/kinds.ts';
import type { QuestionOptions } from './question-flags.ts';
import { zonedText } from './zone.ts';

type Count = (row: UsageRow) => bigint;

function detail(field: keyof TokenDetails): Count {
  return ({ tokenDetails }) => tokenDetails?.[field] ?? 0n;
}

/** The counts of a row by their names in the contract. */
export const COUNTS: Readonly<Record<string, Count>> = {
  charges: (row) => row.charges,
  unpriced_charges: (row) => row.unpricedCharges,
  prompt_tokens: (row) => row.promptTokens,
  completion_tokens: (row) => row.completionTokens,
  total_tokens: (row) => row.totalTokens,
};

/** The sums of the token details by their names in the contract. */
export const DETAILS: Readonly<Record<string, Count>> = {
  cache_read_tokens: detail('cacheReadTokens'),
  cache_write_5m_tokens: detail('cacheWrite5mTokens'),
  cache_write_1h_tokens: detail('cacheWrite1hTokens'),
  reasoning_tokens: detail('reasoningTokens'),
  audio_input_tokens: detail('audioInputTokens'),
  audio_output_tokens: detail('audioOutputTokens'),
  image_input_tokens: detail('imageInputTokens'),
  image_output_tokens: detail('imageOutputTokens'),
};

/** The values of these counts. */
export function countsOf(counts: Readonly<Record<string, Count>>, row: UsageRow): Record<string, bigint> {
  return Object.fromEntries(Object.entries(counts).map(([name, count]) => [name, count(row)]));
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
export function groupFields({ dimensions }: QuestionOptions, { group }: UsageRow): Record<string, string> {
  return Object.assign(
    {},
    ...dimensions.map((dimension) => (group ? dimension.fields(group) : {})),
  ) as Record<string, string>;
}

/** With the offset of the zone; null: the range is open. */
export function timeOf(time: Timestamp | undefined, { zone }: QuestionOptions): string | null {
  return time ? zonedText(time, zone) : null;
}
