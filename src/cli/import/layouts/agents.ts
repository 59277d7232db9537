/** Coding agents, and reports about them. */

import { INFERENCE_GEO, STOP_REASONS, type Layout } from './layout.ts';

/** How Cursor bills an event. Only calls that ended early say how they ended. */
const CURSOR_KINDS = { 'errored, no charge': 'failed', 'aborted, not charged': 'interrupted', '*': '' };

export const AGENTS: readonly Layout[] = [
  {
    name: 'Claude Code session',
    has: ['sessionId', 'message.id', 'message.usage.input_tokens', 'message.usage.output_tokens'],
    fields: {
      session_key: 'sessionId',
      usage_time: 'timestamp',
      model: 'message.model',
      prompt_tokens: 'message.usage.input_tokens',
      completion_tokens: 'message.usage.output_tokens',
      'token_details.cache_read_tokens': 'message.usage.cache_read_input_tokens',
      cache_write_tokens: 'message.usage.cache_creation_input_tokens',
      'token_details.cache_write_5m_tokens': 'message.usage.cache_creation.ephemeral_5m_input_tokens',
      'token_details.cache_write_1h_tokens': 'message.usage.cache_creation.ephemeral_1h_input_tokens',
      reference: 'requestId',
      service_tier: 'message.usage.service_tier',
      region: 'message.usage.inference_geo',
      search_queries: 'message.usage.server_tool_use.web_search_requests',
      call_outcome: 'message.stop_reason',
    },
    meanings: { region: INFERENCE_GEO, call_outcome: STOP_REASONS },
    set: { provider: 'anthropic' },
    cache: 'beside',
    reasoning: 'inside',
    id: ['message.id'],
    // While a message streams in, each block of it is a line with the counts so far.
    repeated: 'last',
    isUsage: (cells) =>
      cells('type') === 'assistant' && cells('message.id') !== '' && cells('message.model') !== '<synthetic>',
  },
  {
    name: 'Codex session',
    has: ['payload.type', 'payload.info.last_token_usage.input_tokens'],
    fields: {
      session_key: 'session_meta.payload.id',
      usage_time: 'timestamp',
      model: 'turn_context.payload.model',
      prompt_tokens: 'payload.info.last_token_usage.input_tokens',
      completion_tokens: 'payload.info.last_token_usage.output_tokens',
      total_tokens: 'payload.info.last_token_usage.total_tokens',
      'token_details.cache_read_tokens': 'payload.info.last_token_usage.cached_input_tokens',
      'token_details.reasoning_tokens': 'payload.info.last_token_usage.reasoning_output_tokens',
    },
    set: { provider: 'openai' },
    cache: 'inside',
    reasoning: 'inside',
    // The counts of the session so far tell one call from the next. A line may be written again without a call.
    id: [
      'session_meta.payload.id',
      'payload.info.total_token_usage.input_tokens',
      'payload.info.total_token_usage.output_tokens',
      'payload.info.total_token_usage.total_tokens',
    ],
    repeated: 'first',
    isUsage: (cells) =>
      cells('payload.type') === 'token_count' && cells('payload.info.last_token_usage.input_tokens') !== '',
    carried: [
      { type: 'session_meta', column: 'payload.id' },
      { type: 'turn_context', column: 'payload.model' },
    ],
  },
  {
    name: 'Cursor usage events',
    has: [
      'Date',
      'Model',
      'Input (w/ Cache Write)',
      'Input (w/o Cache Write)',
      'Cache Read',
      'Output Tokens',
    ],
    fields: {
      usage_time: 'Date',
      user_profile: 'User',
      prompt_tokens: 'Input (w/o Cache Write)',
      completion_tokens: 'Output Tokens',
      total_tokens: 'Total Tokens',
      'token_details.cache_read_tokens': 'Cache Read',
      cache_write_tokens: 'Input (w/ Cache Write)',
      reported_cost: 'Cost',
      call_outcome: 'Kind',
    },
    meanings: { call_outcome: CURSOR_KINDS },
    set: { charge_type: 'completion' },
    // In spite of their names the three input columns have no token in common.
    cache: 'beside',
    reasoning: 'inside',
  },
  {
    name: 'Cursor usage events, JSON',
    has: ['timestamp', 'model', 'tokenUsage.inputTokens', 'tokenUsage.outputTokens'],
    fields: {
      usage_time: 'timestamp',
      user_profile: 'userEmail',
      prompt_tokens: 'tokenUsage.inputTokens',
      completion_tokens: 'tokenUsage.outputTokens',
      'token_details.cache_read_tokens': 'tokenUsage.cacheReadTokens',
      cache_write_tokens: 'tokenUsage.cacheWriteTokens',
      'reported_cost in cents': 'tokenUsage.totalCents',
    },
    set: { charge_type: 'completion' },
    cache: 'beside',
    reasoning: 'inside',
  },
  {
    name: 'ccusage report',
    // Without a breakdown, the models of a day are a list.
    has: [
      'modelName | modelsUsed | models',
      'inputTokens',
      'outputTokens',
      'cacheCreationTokens',
      'cacheReadTokens',
    ],
    fields: {
      usage_time: 'date | week | period | lastActivity | startTime',
      session_key: 'sessionId',
      model: 'modelName',
      prompt_tokens: 'inputTokens',
      completion_tokens: 'outputTokens',
      'token_details.cache_read_tokens': 'cacheReadTokens',
      cache_write_tokens: 'cacheCreationTokens',
    },
    set: { charge_type: 'completion' },
    cache: 'beside',
    reasoning: 'inside',
    // A month is no moment, but it tells one row from the others.
    id: ['date | week | month | period | sessionId | startTime', 'agent', 'modelName'],
  },
];
