/** Small files as other programs write them. All values are invented. */

/** What is compared of a charge: prompt, completion, total, cache read, reasoning, provider, model, user, session, time. */
export type Right = readonly [bigint, bigint, bigint, bigint, bigint, string, string, string, string, string];

/** One small file. */
export interface Example {
  readonly layout: string;
  readonly name: string;
  readonly text: string | readonly object[];
  readonly flags?: readonly string[];
  readonly charges: readonly Right[];
  /** Request ids, if they are taken from the file as they are. */
  readonly ids?: readonly string[];
  readonly leftOut?: number;
}

const claude = (id: string, type: string, usage: object, more: object = {}) => ({
  type,
  sessionId: 's1',
  timestamp: '2026-09-01T10:00:00.000Z',
  requestId: 'req_1',
  message: { id, model: 'claude-opus-5-5', role: 'assistant', content: [{ type: 'text' }], usage, ...more },
});
const codex = (type: string, payload: object) => ({ timestamp: '2026-09-01T10:00:00.000Z', type, payload });
const tokens = (input: number, cached: number, output: number, reasoning: number) => ({
  input_tokens: input,
  cached_input_tokens: cached,
  output_tokens: output,
  reasoning_output_tokens: reasoning,
  total_tokens: input + output,
});
const count = (total: object, last: object) =>
  codex('event_msg', { type: 'token_count', info: { total_token_usage: total, last_token_usage: last } });
const span = (spanId: string, attributes: Readonly<Record<string, string | number>>) => ({
  spanId,
  startTimeUnixNano: '1788256800123456789',
  attributes: Object.entries(attributes).map(([key, value]) => ({
    key,
    value: typeof value === 'number' ? { intValue: String(value) } : { stringValue: value },
  })),
});
const at = '2026-09-01T10:00:00.000Z';
const day = '2026-09-01T00:00:00.000Z';

export const EXAMPLES: readonly Example[] = [
  {
    layout: 'Claude Code session',
    name: 'session.jsonl',
    text: [
      { type: 'summary', summary: 'x', leafUuid: 'u' },
      { type: 'user', sessionId: 's1', timestamp: at, message: { role: 'user', content: 'hello' } },
      claude('msg_1', 'assistant', {
        input_tokens: 4,
        cache_creation_input_tokens: 100,
        cache_read_input_tokens: 1000,
        output_tokens: 1,
      }),
      claude('msg_1', 'assistant', {
        input_tokens: 4,
        cache_creation_input_tokens: 100,
        cache_creation: { ephemeral_5m_input_tokens: 60, ephemeral_1h_input_tokens: 40 },
        cache_read_input_tokens: 1000,
        output_tokens: 250,
      }),
      claude('msg_2', 'assistant', { input_tokens: 0, output_tokens: 0 }, { model: '<synthetic>' }),
      claude('msg_3', 'assistant', { input_tokens: 7, output_tokens: 3 }),
    ],
    charges: [
      [1104n, 250n, 1354n, 1000n, 0n, 'ANTHROPIC', 'claude-opus-5-5', 'import', 's1', at],
      [7n, 3n, 10n, 0n, 0n, 'ANTHROPIC', 'claude-opus-5-5', 'import', 's1', at],
    ],
    ids: ['msg_1', 'msg_3'],
    leftOut: 4,
  },
  {
    layout: 'Codex session',
    name: 'rollout.jsonl',
    text: [
      codex('session_meta', { id: 'thread-1', cwd: '/' }),
      codex('turn_context', { model: 'gpt-5.2-codex' }),
      codex('response_item', { type: 'reasoning', id: 'rs_1' }),
      codex('event_msg', { type: 'token_count', info: null, rate_limits: {} }),
      count(tokens(1000, 400, 50, 20), tokens(1000, 400, 50, 20)),
      count(tokens(1000, 400, 50, 20), tokens(1000, 400, 50, 20)),
      codex('turn_context', { model: 'gpt-5.2' }),
      count(tokens(2000, 800, 100, 40), tokens(1000, 400, 50, 20)),
    ],
    charges: [
      [1000n, 50n, 1050n, 400n, 20n, 'OPENAI', 'gpt-5.2-codex', 'import', 'thread-1', at],
      [1000n, 50n, 1050n, 400n, 20n, 'OPENAI', 'gpt-5.2', 'import', 'thread-1', at],
    ],
    leftOut: 6,
  },
  {
    layout: 'ccusage report',
    name: 'ccusage.ndjson',
    text: [
      {
        daily: [
          {
            date: '2026-09-01',
            inputTokens: 30,
            outputTokens: 5,
            totalTokens: 105,
            modelBreakdowns: [
              {
                modelName: 'claude-opus-5-5',
                inputTokens: 10,
                outputTokens: 2,
                cacheCreationTokens: 20,
                cacheReadTokens: 50,
                cost: 1,
              },
              {
                modelName: 'claude-haiku-5-5',
                inputTokens: 20,
                outputTokens: 3,
                cacheCreationTokens: 0,
                cacheReadTokens: 0,
                cost: 1,
              },
            ],
          },
        ],
        totals: { inputTokens: 30, totalTokens: 105 },
      },
    ],
    charges: [
      [80n, 2n, 82n, 50n, 0n, 'OTHER', 'claude-opus-5-5', 'import', '', day],
      [20n, 3n, 23n, 0n, 0n, 'OTHER', 'claude-haiku-5-5', 'import', '', day],
    ],
  },
  {
    layout: 'Anthropic usage report',
    name: 'report.ndjson',
    text: [
      {
        data: [
          {
            starting_at: '2026-09-01T00:00:00Z',
            ending_at: '2026-09-02T00:00:00Z',
            results: [
              {
                uncached_input_tokens: 1000,
                cache_creation: { ephemeral_1h_input_tokens: 200, ephemeral_5m_input_tokens: 100 },
                cache_read_input_tokens: 3000,
                output_tokens: 50,
                model: 'claude-opus-5-5',
                api_key_id: 'k1',
              },
            ],
          },
          { starting_at: '2026-09-02T00:00:00Z', ending_at: '2026-09-03T00:00:00Z', results: [] },
        ],
        has_more: false,
        next_page: null,
      },
    ],
    charges: [[4300n, 50n, 4350n, 3000n, 0n, 'ANTHROPIC', 'claude-opus-5-5', 'import', '', day]],
  },
  {
    layout: 'OpenAI usage export',
    name: 'usage.csv',
    text:
      'start_time,end_time,start_time_iso,end_time_iso,project_id,num_model_requests,user_id,api_key_id,model,batch,service_tier,input_tokens,output_tokens,input_cached_tokens,input_uncached_tokens\n' +
      '1788220800,1788307200,2026-09-01T00:00:00+00:00,2026-09-02T00:00:00+00:00,p,3,u1,k,gpt-5.2,,,1000,50,800,200\n' +
      '1788307200,1788393600,2026-09-02T00:00:00+00:00,2026-09-03T00:00:00+00:00,,,,,,,,,,,\n',
    charges: [[1000n, 50n, 1050n, 800n, 0n, 'OPENAI', 'gpt-5.2', 'u1', '', day]],
    leftOut: 1,
  },
  {
    layout: 'OpenAI usage export',
    name: 'usage.ndjson',
    text: [
      {
        object: 'page',
        data: [
          {
            object: 'bucket',
            start_time: 1788220800,
            end_time: 1788307200,
            results: [
              {
                object: 'organization.usage.completions.result',
                input_tokens: 1000,
                output_tokens: 50,
                input_cached_tokens: 800,
                num_model_requests: 3,
                model: 'gpt-5.2',
                user_id: 'u9',
                project_id: null,
              },
            ],
          },
        ],
      },
    ],
    charges: [[1000n, 50n, 1050n, 800n, 0n, 'OPENAI', 'gpt-5.2', 'u9', '', day]],
  },
  {
    layout: 'OpenAI usage export until 2024',
    name: 'old.ndjson',
    text: [
      {
        data: [
          {
            aggregation_timestamp: 1788220800,
            operation: 'completion',
            snapshot_id: 'gpt-4-0613',
            n_context_tokens_total: 300,
            n_generated_tokens_total: 40,
          },
        ],
      },
    ],
    charges: [[300n, 40n, 340n, 0n, 0n, 'OPENAI', 'gpt-4-0613', 'import', '', day]],
  },
  {
    layout: 'Helicone requests',
    name: 'helicone.csv',
    text:
      'response_id,request_created_at,response_status,response_model,request_id,request_user_id,request_model,provider,prompt_tokens,prompt_cache_read_tokens,prompt_cache_write_tokens,completion_tokens,total_tokens,cost\n' +
      'x1,2026-09-01T10:00:00Z,200,gpt-5.2,7f0f2d8e-1,u1,gpt-5,OPENAI,100,0,0,20,120,1\n' +
      'x2,2026-09-01T10:00:00Z,200,claude-opus-5-5,7f0f2d8e-2,u1,claude,ANTHROPIC,100,50,10,20,180,1\n',
    charges: [
      [100n, 20n, 120n, 0n, 0n, 'OPENAI', 'gpt-5.2', 'u1', '', at],
      [160n, 20n, 180n, 50n, 0n, 'ANTHROPIC', 'claude-opus-5-5', 'u1', '', at],
    ],
    ids: ['7f0f2d8e-1', '7f0f2d8e-2'],
  },
  {
    layout: 'AWS Bedrock invocation log',
    name: 'bedrock.jsonl',
    text: [
      {
        schemaType: 'ModelInvocationLog',
        timestamp: '2026-09-01T10:00:00Z',
        identity: { arn: 'arn:aws:iam::1:user/a' },
        requestId: '915a6a04',
        operation: 'Converse',
        modelId: 'anthropic.claude-opus-5-5',
        input: {
          inputContentType: 'application/json',
          inputTokenCount: 35,
          cacheReadInputTokenCount: 100,
          cacheWriteInputTokenCount: 10,
        },
        output: { outputContentType: 'application/json', outputTokenCount: 446 },
      },
      {
        schemaType: 'ModelInvocationLog',
        timestamp: '2026-09-01T10:00:00Z',
        requestId: '9',
        modelId: 'm',
        errorCode: 'ThrottlingException',
        input: {},
      },
    ],
    charges: [
      [
        145n,
        446n,
        591n,
        100n,
        0n,
        'AWS_BEDROCK',
        'anthropic.claude-opus-5-5',
        'arn:aws:iam::1:user/a',
        '',
        at,
      ],
    ],
    ids: ['915a6a04'],
    leftOut: 1,
  },
  {
    layout: 'Gemini usage metadata',
    name: 'gemini.jsonl',
    text: [
      {
        usageMetadata: {
          promptTokenCount: 100,
          cachedContentTokenCount: 40,
          candidatesTokenCount: 20,
          thoughtsTokenCount: 30,
          toolUsePromptTokenCount: 5,
          totalTokenCount: 155,
        },
        modelVersion: 'gemini-3.5-pro',
        responseId: 'g1',
        createTime: at,
      },
      {
        usage_metadata: { prompt_token_count: 10, candidates_token_count: 2, total_token_count: 12 },
        model_version: 'gemini-3.5-pro',
        response_id: 'g2',
        create_time: at,
      },
    ],
    charges: [
      [105n, 50n, 155n, 40n, 30n, 'GCP_GEN_AI', 'gemini-3.5-pro', 'import', '', at],
      [10n, 2n, 12n, 0n, 0n, 'GCP_GEN_AI', 'gemini-3.5-pro', 'import', '', at],
    ],
    ids: ['g1', 'g2'],
  },
  {
    layout: 'OpenTelemetry GenAI',
    name: 'otlp.jsonl',
    text: [
      {
        resourceSpans: [
          {
            resource: { attributes: [{ key: 'service.name', value: { stringValue: 'shop' } }] },
            scopeSpans: [
              {
                spans: [
                  span('a1', {
                    'gen_ai.operation.name': 'invoke_agent',
                    'gen_ai.usage.input_tokens': 100,
                    'gen_ai.usage.output_tokens': 20,
                  }),
                  span('a2', {
                    'gen_ai.operation.name': 'chat',
                    'gen_ai.provider.name': 'anthropic',
                    'gen_ai.request.model': 'claude',
                    'gen_ai.usage.input_tokens': 100,
                    'gen_ai.usage.cache_read.input_tokens': 60,
                    'gen_ai.usage.output_tokens': 20,
                  }),
                  span('a3', { 'http.request.method': 'GET' }),
                ],
              },
            ],
          },
        ],
      },
    ],
    charges: [[100n, 20n, 120n, 60n, 0n, 'ANTHROPIC', 'claude', 'import', '', '2026-09-01T10:00:00.123Z']],
    ids: ['a2'],
    leftOut: 2,
  },
  {
    layout: 'BurstGPT trace',
    name: 'burst.csv',
    text: 'Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n5,ChatGPT,472,18,490,Conversation log\n45,GPT-4,1087,230,1317,API log\n',
    flags: ['--set', 'usage_time=2026-09-01T10:00:00Z'],
    charges: [
      [472n, 18n, 490n, 0n, 0n, 'OTHER', 'ChatGPT', 'import', '', '2026-09-01T10:00:05.000Z'],
      [1087n, 230n, 1317n, 0n, 0n, 'OTHER', 'GPT-4', 'import', '', '2026-09-01T10:00:45.000Z'],
    ],
  },
  {
    layout: 'Mooncake trace',
    name: 'mooncake.jsonl',
    text: [{ timestamp: 27482, input_length: 6758, output_length: 500, hash_ids: [1, 2] }],
    flags: ['--set', 'usage_time=2026-09-01T10:00:00Z', '--set', 'model=m'],
    charges: [[6758n, 500n, 7258n, 0n, 0n, 'OTHER', 'm', 'import', '', '2026-09-01T10:00:27.482Z']],
  },
  {
    layout: 'Azure LLM inference trace',
    name: 'azure.csv',
    text: 'TIMESTAMP,ContextTokens,GeneratedTokens\r\n2026-09-01 10:00:00.0000000,374,44',
    flags: ['--set', 'model=m'],
    charges: [[374n, 44n, 418n, 0n, 0n, 'OTHER', 'm', 'import', '', at]],
  },
  {
    layout: 'OpenAI response objects',
    name: 'responses.jsonl',
    text: [
      {
        id: 'chatcmpl-77',
        created: 1788256800,
        model: 'gpt-5.2',
        usage: {
          prompt_tokens: 100,
          completion_tokens: 20,
          total_tokens: 120,
          prompt_tokens_details: { cached_tokens: 60 },
          completion_tokens_details: { reasoning_tokens: 10 },
        },
      },
      {
        id: 'resp_77',
        created_at: 1788256800,
        model: 'gpt-5.2',
        usage: {
          input_tokens: 100,
          output_tokens: 20,
          total_tokens: 120,
          input_tokens_details: { cached_tokens: 60 },
          output_tokens_details: { reasoning_tokens: 10 },
        },
      },
    ],
    charges: [
      [100n, 20n, 120n, 60n, 10n, 'OTHER', 'gpt-5.2', 'import', '', at],
      [100n, 20n, 120n, 60n, 10n, 'OTHER', 'gpt-5.2', 'import', '', at],
    ],
    ids: ['chatcmpl-77', 'resp_77'],
  },
  {
    layout: 'Anthropic usage objects',
    name: 'messages.csv',
    text: 'time,model,input_tokens,output_tokens,cache_creation_input_tokens,cache_read_input_tokens\n2026-09-01,claude,10,5,20,300\n',
    charges: [[330n, 5n, 335n, 300n, 0n, 'OTHER', 'claude', 'import', '', day]],
  },
];
