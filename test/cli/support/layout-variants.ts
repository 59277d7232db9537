/** Other forms of files whose layout is known: JSON instead of CSV, reports by day, calls without a completion. */

import type { Example, Right } from './layout-examples.ts';

const at = '2026-09-01T10:00:00.000Z';
const day = '2026-09-01T00:00:00.000Z';

export const VARIANTS: readonly Example[] = [
  {
    layout: 'Langfuse observations',
    name: 'observations-ui.csv',
    text:
      'id,type,startTime,traceId,model,promptTokens,completionTokens,totalTokens,usageDetails\n' +
      `o1,GENERATION,${at},t,gpt-5.2,100,20,120,"{""input"":60,""output"":20,""total"":120,""input_cached_tokens"":40}"\n` +
      `o2,SPAN,${at},t,,0,0,0,{}\n` +
      `o3,GENERATION,${at},t,claude-opus-5-5,10,20,1030,"{""input"":10,""output"":20,""total"":1030,""cache_read_input_tokens"":1000}"\n`,
    charges: [
      [100n, 20n, 120n, 40n, 0n, 'OTHER', 'gpt-5.2', 'import', '', at],
      [1010n, 20n, 1030n, 1000n, 0n, 'OTHER', 'claude-opus-5-5', 'import', '', at],
    ],
    ids: ['o1', 'o3'],
    leftOut: 1,
  },
  {
    layout: 'Cursor usage events, JSON',
    name: 'cursor.ndjson',
    text: [
      {
        totalUsageEventsCount: 1,
        usageEvents: [
          {
            timestamp: '1788256800000',
            model: 'claude-opus-5-5',
            kind: 'Usage-based',
            tokenUsage: { inputTokens: 100, outputTokens: 50, cacheWriteTokens: 20, cacheReadTokens: 300 },
            userEmail: 'a@example.invalid',
          },
        ],
      },
    ],
    charges: [[420n, 50n, 470n, 300n, 0n, 'OTHER', 'claude-opus-5-5', 'a@example.invalid', '', at]],
  },
  {
    layout: 'OpenRouter activity by day',
    name: 'activity.ndjson',
    text: [
      {
        data: ['OpenAI', 'Azure'].map((name, index) => ({
          date: '2026-09-01',
          model: 'openai/gpt-5.2',
          model_permaslug: 'openai/gpt-5.2-2026',
          endpoint_id: `e${index}`,
          provider_name: name,
          usage: 0.015,
          requests: 5,
          prompt_tokens: 50,
          completion_tokens: 125,
          reasoning_tokens: 25,
        })),
      },
    ],
    charges: ['OPENAI', 'AZURE_AI_OPENAI'].map((provider): Right => [
      50n,
      125n,
      175n,
      0n,
      25n,
      provider,
      'openai/gpt-5.2',
      'import',
      '',
      day,
    ]),
  },
  {
    layout: 'OpenAI usage export',
    name: 'embeddings.csv',
    text:
      'start_time,end_time,project_id,num_model_requests,user_id,api_key_id,model,input_tokens\n' +
      '1788220800,1788307200,p,3,u1,k,text-embedding-3,1000\n',
    flags: ['--set', 'completion_tokens=0'],
    charges: [[1000n, 0n, 1000n, 0n, 0n, 'OPENAI', 'text-embedding-3', 'u1', '', day]],
  },
  {
    layout: 'AWS Bedrock invocation log',
    name: 'embeddings.jsonl',
    text: [
      {
        schemaType: 'ModelInvocationLog',
        timestamp: '2026-09-01T10:00:00Z',
        requestId: '915a6a05',
        modelId: 'amazon.titan-embed',
        input: { inputTokenCount: 12 },
        output: { outputContentType: 'application/json' },
      },
    ],
    flags: ['--set', 'completion_tokens=0'],
    charges: [[12n, 0n, 12n, 0n, 0n, 'AWS_BEDROCK', 'amazon.titan-embed', 'import', '', at]],
    ids: ['915a6a05'],
  },
  {
    layout: 'ccusage report',
    name: 'ccusage-old.ndjson',
    text: [
      {
        daily: [
          {
            date: '2026-09-01',
            models: ['claude-opus-5-5'],
            inputTokens: 10,
            outputTokens: 2,
            cacheCreationTokens: 20,
            cacheReadTokens: 50,
            totalTokens: 82,
          },
        ],
      },
    ],
    flags: ['--set', 'model=claude-opus-5-5'],
    charges: [[80n, 2n, 82n, 50n, 0n, 'OTHER', 'claude-opus-5-5', 'import', '', day]],
  },
];
