/** The counts of a row for programs: the same in JSON, CSV and Parquet. */

import type { TokenDetails } from '../../../generated/charge/v1/charge.ts';
import type { UsageRow } from '../../../generated/charge/v1/usage_service.ts';

/** A count of a row. */
export type Count = (row: UsageRow) => bigint;

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
