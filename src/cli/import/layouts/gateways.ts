/** Gateways and tools that observe calls. */

import type { Layout } from './layout.ts';

export const GATEWAYS: readonly Layout[] = [
  {
    name: 'LiteLLM spend logs',
    has: ['request_id', 'call_type', 'spend', 'startTime', 'prompt_tokens', 'completion_tokens'],
    fields: {
      usage_time: 'startTime',
      user_profile: 'user',
      session_key: 'session_id',
      provider: 'custom_llm_provider',
      reported_cost: 'spend',
      call_outcome: 'status',
    },
    meanings: { call_outcome: { success: 'succeeded', failure: 'failed', '*': '' } },
    set: { charge_type: 'completion' },
    cache: 'inside',
    reasoning: 'inside',
    id: ['request_id'],
  },
  {
    name: 'Langfuse observations',
    has: [
      'id',
      'type',
      'traceId',
      'startTime',
      'promptTokens | usageDetails.input | usage.input | usage_details.input | inputUsage',
    ],
    fields: {
      usage_time: 'startTime',
      user_profile: 'userId',
      session_key: 'sessionId',
      model: 'providedModelName | model',
      prompt_tokens: 'usageDetails.input | usage.input | inputUsage | promptTokens',
      completion_tokens: 'usageDetails.output | usage.output | outputUsage | completionTokens',
      total_tokens: 'usageDetails.total | usage.total | totalUsage | totalTokens',
      'token_details.cache_read_tokens':
        'usageDetails.input_cached_tokens | usageDetails.cache_read_input_tokens | usageDetails.input_cache_read',
      cache_write_tokens: 'usageDetails.cache_creation_input_tokens | usageDetails.input_cache_creation',
      'token_details.reasoning_tokens':
        'usageDetails.output_reasoning_tokens | usageDetails.output_reasoning',
      reported_cost: 'calculatedTotalCost | totalCost | costDetails.total',
    },
    set: { charge_type: 'completion' },
    // Langfuse adds up the kinds of usage_details.
    cache: 'beside',
    reasoning: 'beside',
    id: ['id'],
    isUsage: (cells) => ['GENERATION', 'EMBEDDING'].includes(cells('type').toUpperCase()),
  },
  {
    name: 'Helicone requests',
    has: [
      'request_id',
      'request_created_at',
      'prompt_tokens',
      'completion_tokens',
      'request_model | response_model | model_override | response_id',
    ],
    fields: {
      usage_time: 'request_created_at',
      user_profile: 'request_user_id | user_id',
      session_key: 'request_properties.Helicone-Session-Id | Helicone-Session-Id',
      model: 'response_model | request_model | model',
      'token_details.cache_read_tokens': 'prompt_cache_read_tokens',
      cache_write_tokens: 'prompt_cache_write_tokens',
      reference: 'response_id',
      // `cost` is in dollars or in billionths of them, as the file was made.
      reported_cost: 'cost_usd',
      call_outcome: 'response_status',
    },
    meanings: { call_outcome: { 200: 'succeeded', '*': '' } },
    set: { charge_type: 'completion' },
    id: ['request_id'],
  },
  {
    name: 'OpenRouter activity',
    has: ['generation_id', 'tokens_prompt', 'tokens_completion', 'model_permaslug'],
    fields: {
      usage_time: 'created_at',
      model: 'model_permaslug',
      provider: 'provider_name',
      user_profile: 'user',
      prompt_tokens: 'tokens_prompt',
      completion_tokens: 'tokens_completion',
      'token_details.cache_read_tokens': 'tokens_cached',
      'token_details.reasoning_tokens': 'tokens_reasoning',
      reported_cost: 'cost_total',
      call_outcome: 'cancelled | finish_reason_normalized',
    },
    meanings: {
      call_outcome: {
        true: 'interrupted',
        1: 'interrupted',
        stop: 'succeeded',
        length: 'succeeded',
        tool_calls: 'succeeded',
        error: 'failed',
        '*': '',
      },
    },
    set: { charge_type: 'completion' },
    cache: 'inside',
    reasoning: 'inside',
    id: ['generation_id'],
  },
  {
    name: 'OpenRouter activity by day',
    has: ['date', 'model_permaslug', 'endpoint_id', 'requests', 'prompt_tokens', 'completion_tokens'],
    fields: { usage_time: 'date', provider: 'provider_name', reported_cost: 'usage' },
    set: { charge_type: 'completion' },
    cache: 'inside',
    reasoning: 'inside',
    id: ['date', 'model_permaslug', 'endpoint_id', 'provider_name'],
  },
  {
    name: 'OpenTelemetry GenAI',
    has: ['gen_ai.usage.input_tokens | gen_ai.usage.prompt_tokens'],
    fields: {
      usage_time: 'startTimeUnixNano | start_time_unix_nano | start_time | startTime | timestamp',
      user_profile: 'enduser.id | user.id',
      session_key: 'gen_ai.conversation.id | session.id',
      provider: 'gen_ai.provider.name | gen_ai.system',
      model: 'gen_ai.response.model | gen_ai.request.model',
      prompt_tokens: 'gen_ai.usage.input_tokens | gen_ai.usage.prompt_tokens',
      completion_tokens: 'gen_ai.usage.output_tokens | gen_ai.usage.completion_tokens',
      'token_details.cache_read_tokens':
        'gen_ai.usage.cache_read.input_tokens | gen_ai.usage.cache_read_input_tokens',
      cache_write_tokens:
        'gen_ai.usage.cache_creation.input_tokens | gen_ai.usage.cache_creation_input_tokens',
      'token_details.reasoning_tokens':
        'gen_ai.usage.reasoning.output_tokens | gen_ai.usage.reasoning_tokens',
      reference: 'gen_ai.response.id',
      service_tier:
        'openai.response.service_tier | gen_ai.openai.response.service_tier | ' +
        'openai.request.service_tier | gen_ai.openai.request.service_tier',
    },
    // What was asked for may be left to the provider.
    meanings: { service_tier: { auto: '' } },
    set: { charge_type: 'completion' },
    cache: 'inside',
    reasoning: 'inside',
    id: ['spanId | span_id | context.span_id | gen_ai.response.id'],
    // The span of an agent repeats the tokens of the model calls inside it.
    isUsage: (cells) =>
      `${cells('gen_ai.usage.input_tokens')}${cells('gen_ai.usage.prompt_tokens')}${cells('gen_ai.usage.output_tokens')}` !==
        '' && !/agent|workflow|tool/.test(cells('gen_ai.operation.name')),
  },
];
