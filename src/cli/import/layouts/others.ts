/** Public traces, and single responses of APIs that somebody has kept. */

import { INFERENCE_GEO, STOP_REASONS, type Layout } from './layout.ts';

const ANTHROPIC_USAGE = {
  'token_details.cache_read_tokens': 'usage.cache_read_input_tokens | cache_read_input_tokens',
  cache_write_tokens: 'usage.cache_creation_input_tokens | cache_creation_input_tokens',
  'token_details.cache_write_5m_tokens':
    'usage.cache_creation.ephemeral_5m_input_tokens | cache_creation.ephemeral_5m_input_tokens',
  'token_details.cache_write_1h_tokens':
    'usage.cache_creation.ephemeral_1h_input_tokens | cache_creation.ephemeral_1h_input_tokens',
  service_tier: 'usage.service_tier | service_tier',
  region: 'usage.inference_geo | inference_geo',
  search_queries: 'usage.server_tool_use.web_search_requests | server_tool_use.web_search_requests',
  call_outcome: 'stop_reason',
};

export const OTHERS: readonly Layout[] = [
  {
    name: 'BurstGPT trace',
    has: ['Timestamp', 'Model', 'Request tokens', 'Response tokens', 'Log Type'],
    fields: {
      'offset in seconds': 'Timestamp',
      model: 'Model',
      session_key: 'Session ID',
      prompt_tokens: 'Request tokens',
      completion_tokens: 'Response tokens',
      total_tokens: 'Total tokens',
    },
    set: { charge_type: 'completion' },
  },
  {
    name: 'Mooncake trace',
    has: ['timestamp', 'input_length', 'output_length', 'hash_ids'],
    fields: {
      'offset in milliseconds': 'timestamp',
      prompt_tokens: 'input_length',
      completion_tokens: 'output_length',
    },
    set: { charge_type: 'completion' },
  },
  {
    name: 'Azure LLM inference trace',
    has: ['TIMESTAMP', 'ContextTokens', 'GeneratedTokens'],
    fields: { usage_time: 'TIMESTAMP', prompt_tokens: 'ContextTokens', completion_tokens: 'GeneratedTokens' },
    set: { charge_type: 'completion' },
  },
  {
    name: 'OpenAI response objects',
    has: [
      'model',
      'usage.input_tokens_details.cached_tokens | usage.prompt_tokens_details.cached_tokens | usage.prompt_tokens',
    ],
    fields: {
      usage_time: 'created_at | created',
      prompt_tokens: 'usage.input_tokens | usage.prompt_tokens',
      completion_tokens: 'usage.output_tokens | usage.completion_tokens',
      total_tokens: 'usage.total_tokens',
      'token_details.cache_read_tokens':
        'usage.input_tokens_details.cached_tokens | usage.prompt_tokens_details.cached_tokens',
      'token_details.reasoning_tokens':
        'usage.output_tokens_details.reasoning_tokens | usage.completion_tokens_details.reasoning_tokens',
      'token_details.audio_input_tokens': 'usage.prompt_tokens_details.audio_tokens',
      'token_details.audio_output_tokens': 'usage.completion_tokens_details.audio_tokens',
      'token_details.image_input_tokens':
        'usage.input_tokens_details.image_tokens | usage.prompt_tokens_details.image_tokens',
      'token_details.image_output_tokens':
        'usage.output_tokens_details.image_tokens | usage.completion_tokens_details.image_tokens',
      reference: 'id',
      service_tier: 'service_tier',
      // Written by OpenRouter and by Perplexity.
      reported_cost: 'usage.cost | usage.cost.total_cost',
      search_queries: 'usage.num_search_queries',
      call_outcome: 'status',
    },
    meanings: {
      call_outcome: { completed: 'succeeded', cancelled: 'interrupted', failed: 'failed', '*': '' },
    },
    set: { charge_type: 'completion' },
    cache: 'inside',
    reasoning: 'inside',
    id: ['id'],
  },
  {
    name: 'Anthropic usage objects',
    has: [
      'usage.input_tokens | input_tokens',
      'usage.output_tokens | output_tokens',
      'usage.cache_creation_input_tokens | usage.cache_read_input_tokens | cache_creation_input_tokens | cache_read_input_tokens',
    ],
    fields: {
      ...ANTHROPIC_USAGE,
      prompt_tokens: 'usage.input_tokens | input_tokens',
      completion_tokens: 'usage.output_tokens | output_tokens',
    },
    meanings: { region: INFERENCE_GEO, call_outcome: STOP_REASONS },
    cache: 'beside',
    reasoning: 'inside',
  },
];
