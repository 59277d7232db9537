/** Exports of the providers themselves. */

import type { Layout } from './layout.ts';

export const PROVIDERS: readonly Layout[] = [
  {
    name: 'Anthropic console export',
    has: ['usage_date_utc', 'model_version', 'usage_input_tokens_no_cache', 'usage_output_tokens'],
    fields: {
      usage_time: 'usage_date_utc',
      model: 'model_version',
      prompt_tokens: 'usage_input_tokens_no_cache',
      completion_tokens: 'usage_output_tokens',
      'token_details.cache_read_tokens': 'usage_input_tokens_cache_read',
      'token_details.cache_write_5m_tokens': 'usage_input_tokens_cache_write_5m',
      'token_details.cache_write_1h_tokens': 'usage_input_tokens_cache_write_1h',
    },
    set: { provider: 'anthropic', charge_type: 'completion' },
    cache: 'beside',
    reasoning: 'inside',
    id: [
      'usage_date_utc',
      'model_version',
      'api_key',
      'workspace',
      'usage_type',
      'context_window',
      'inference_geo',
      'speed',
    ],
  },
  {
    name: 'Anthropic usage report',
    has: ['uncached_input_tokens', 'output_tokens', 'starting_at'],
    fields: {
      usage_time: 'starting_at',
      prompt_tokens: 'uncached_input_tokens',
      completion_tokens: 'output_tokens',
      'token_details.cache_read_tokens': 'cache_read_input_tokens',
      'token_details.cache_write_5m_tokens':
        'cache_creation.ephemeral_5m_input_tokens | cache_creation_5m_input_tokens',
      'token_details.cache_write_1h_tokens':
        'cache_creation.ephemeral_1h_input_tokens | cache_creation_1h_input_tokens',
    },
    set: { provider: 'anthropic', charge_type: 'completion' },
    cache: 'beside',
    reasoning: 'inside',
    id: [
      'starting_at',
      'ending_at',
      'model',
      'workspace_id',
      'api_key_id',
      'account_id',
      'service_account_id',
      'service_tier',
      'context_window',
      'inference_geo',
      'speed',
    ],
  },
  {
    name: 'OpenAI usage export',
    // Embeddings have no output_tokens.
    has: ['start_time', 'end_time', 'num_model_requests', 'input_tokens'],
    fields: {
      usage_time: 'start_time',
      user_profile: 'user_id',
      prompt_tokens: 'input_tokens',
      completion_tokens: 'output_tokens',
      'token_details.cache_read_tokens': 'input_cached_tokens',
      'token_details.audio_input_tokens': 'input_audio_tokens',
      'token_details.audio_output_tokens': 'output_audio_tokens',
    },
    set: { provider: 'openai', charge_type: 'completion' },
    cache: 'inside',
    reasoning: 'inside',
    id: ['start_time', 'end_time', 'model', 'project_id', 'user_id', 'api_key_id', 'batch', 'service_tier'],
    // A bucket without usage is a row with nothing but its times, and perhaps 0 requests.
    isUsage: (cells) =>
      !/^0?$/.test(`${cells('input_tokens')}${cells('output_tokens')}${cells('num_model_requests')}`),
  },
  {
    name: 'OpenAI usage export until 2024',
    has: [
      'n_context_tokens_total',
      'n_generated_tokens_total',
      'snapshot_id',
      'aggregation_timestamp | timestamp',
    ],
    fields: {
      usage_time: 'aggregation_timestamp | timestamp',
      user_profile: 'user | email',
      model: 'snapshot_id',
      prompt_tokens: 'n_context_tokens_total',
      completion_tokens: 'n_generated_tokens_total',
      'token_details.cache_read_tokens': 'n_cached_context_tokens_total',
    },
    set: { provider: 'openai', charge_type: 'completion' },
    cache: 'inside',
    reasoning: 'inside',
    id: [
      'aggregation_timestamp | timestamp',
      'snapshot_id',
      'operation',
      'user | email',
      'project_id',
      'api_key_id',
      'usage_type',
    ],
  },
  {
    name: 'AWS Bedrock invocation log',
    // Embeddings have no output.outputTokenCount.
    has: ['schemaType', 'modelId', 'requestId', 'input.inputTokenCount'],
    fields: {
      usage_time: 'timestamp',
      user_profile: 'identity.arn',
      model: 'modelId',
      prompt_tokens: 'input.inputTokenCount',
      completion_tokens: 'output.outputTokenCount',
      'token_details.cache_read_tokens': 'input.cacheReadInputTokenCount',
      cache_write_tokens: 'input.cacheWriteInputTokenCount',
    },
    set: { provider: 'aws_bedrock', charge_type: 'completion' },
    cache: 'beside',
    reasoning: 'inside',
    id: ['requestId'],
    // A call that failed has no counts.
    isUsage: (cells) => cells('errorCode') === '',
  },
  {
    name: 'Gemini usage metadata',
    has: ['usageMetadata.promptTokenCount', 'usageMetadata.totalTokenCount'],
    fields: {
      usage_time: 'createTime | timestamp',
      model: 'modelVersion | model',
      prompt_tokens: 'usageMetadata.promptTokenCount + usageMetadata.toolUsePromptTokenCount',
      completion_tokens: 'usageMetadata.candidatesTokenCount | usageMetadata.responseTokenCount',
      total_tokens: 'usageMetadata.totalTokenCount',
      'token_details.cache_read_tokens': 'usageMetadata.cachedContentTokenCount',
      'token_details.reasoning_tokens': 'usageMetadata.thoughtsTokenCount',
      reference: 'responseId',
    },
    set: { provider: 'gcp_gen_ai', charge_type: 'completion' },
    cache: 'inside',
    reasoning: 'beside',
    id: ['responseId'],
    // The parts of a streamed response have the counts so far.
    repeated: 'last',
  },
];
