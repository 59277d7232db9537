/** Service tier, region, quantities, reported cost and outcome: how files say them, and that nothing is guessed. */

import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { createFileRegistry, fromBinary, getOption, type DescExtension } from '@bufbuild/protobuf';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { CallOutcome, Charge, ChargeState, Provider } from '../../generated/charge/v1/charge.ts';
import { ServiceTier } from '../../generated/charge/v1/money.ts';
import { parseProvider } from '../../src/cli/import/values.ts';
import { Harness, rejectsOf } from './support/harness.ts';

let harness: Harness;

beforeAll(async () => {
  harness = await Harness.open();
});
beforeEach(() => harness.service.charges.clear());
afterAll(() => harness.close());

const HEADER = 'usage_time,user_profile,prompt_tokens,completion_tokens,model';
const ROW = '2026-09-01,ann,10,2,m';

/** Imports one file and returns its stored charges. */
async function importFile(name: string, text: string[], ...flags: string[]) {
  const { code, json, stderr } = await harness.import(harness.write(name, text), ...flags);
  const charges = [...harness.service.charges.values()].sort((a, b) =>
    Number((a.usageTime?.seconds ?? 0n) - (b.usageTime?.seconds ?? 0n)),
  );
  return { code, json, stderr, charges };
}

/** The new content of a charge, in the words of the fields. */
function contentOf(charge: Charge | undefined) {
  if (!charge) return undefined;
  const json = Charge.toJSON(charge) as Record<string, string | undefined>;
  const { serviceTier, region, quantities, reportedCost, callOutcome } = json;
  const tier = serviceTier?.replace('SERVICE_TIER_', '').toLowerCase();
  const outcome = callOutcome?.replace('CALL_OUTCOME_', '').toLowerCase();
  return { tier, region, quantities, reportedCost, outcome };
}

test('the provider has the name that OpenTelemetry gives it', () => {
  const image = readFileSync(new URL('../../generated/charge.binpb', import.meta.url));
  const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, image));
  const option = registry.getExtension('charge.v1.gen_ai_provider_name') as DescExtension;
  const values = registry.getEnum('charge.v1.Provider')?.values ?? [];
  const named = values.map((value) => [getOption(value, option), value.number] as const);
  expect(named.filter(([name]) => name !== '')).toHaveLength(18);
  for (const [name, number] of named)
    if (name !== '') expect([name, parseProvider(String(name))]).toEqual([name, number]);
  expect(parseProvider('moonshotai')).toBe(Provider.PROVIDER_MOONSHOT_AI);
});

test('columns called like the fields fill them, and a second import replays', async () => {
  const file = [
    `${HEADER},service_tier,region,reported_cost,reported_currency,call_outcome,search_queries,input_seconds,output_images,image_input_tokens,image_output_tokens`,
    `${ROW},batch,eu,1.25,EUR,failed,3,1.5,0,4,1`,
  ];
  const { code, charges } = await importFile('usage.csv', file);
  expect(code).toBe(0);
  expect(charges).toMatchObject([
    {
      serviceTier: ServiceTier.SERVICE_TIER_BATCH,
      region: 'eu',
      reportedCost: { currencyCode: 'EUR', nanos: 1_250_000_000n },
      callOutcome: CallOutcome.CALL_OUTCOME_FAILED,
      quantities: [
        { kind: 20, amount: 3n },
        { kind: 23, amount: 1500n },
      ],
      tokenDetails: { imageInputTokens: 4n, imageOutputTokens: 1n },
    },
  ]);
  expect((await importFile('usage.csv', file)).json).toMatchObject({ created: 0, replayed: 1 });
});

test('a cost is in dollars unless the file or --set says another currency, and its rounding is told', async () => {
  const costs = ['0.0012', '$0.50', 'US$ 1', '-', 'Included', '0.00012345000000000001'];
  const rows = [
    `${HEADER},reported_cost`,
    ...costs.map((cost, index) => `2026-09-0${index + 1},a,1,1,m,${cost}`),
  ];
  const { stderr, charges } = await importFile('usage.csv', rows);
  expect(charges.map(({ reportedCost }) => reportedCost?.nanos)).toEqual([
    1_200_000n,
    500_000_000n,
    1_000_000_000n,
    undefined,
    undefined,
    123_450n,
  ]);
  expect(new Set(charges.map(({ reportedCost }) => reportedCost?.currencyCode ?? 'USD'))).toEqual(
    new Set(['USD']),
  );
  expect(stderr).toContain('more than 9 decimals are rounded');
  harness.service.charges.clear();
  const yen = await importFile(
    'yen.csv',
    [`${HEADER},reported_cost`, `${ROW},3`],
    '--set',
    'reported_currency=jpy',
  );
  expect(yen.charges).toMatchObject([{ reportedCost: { currencyCode: 'JPY', nanos: 3_000_000_000n } }]);
});

test('a column cost is not taken for a reported cost, because its unit is not known', async () => {
  const { charges, stderr } = await importFile('usage.csv', [`${HEADER},cost`, `${ROW},1`]);
  expect(charges[0]?.reportedCost).toBeUndefined();
  expect(stderr).toContain('columns that are not recorded: cost');
});

test('what the contract has no name for is refused, and --map FIELD= leaves the column out', async () => {
  const file = [`${HEADER},service_tier`, `${ROW},scale`, `2026-09-02,ann,1,1,m,auto`];
  const { json, stderr } = await importFile('usage.csv', file);
  expect(json).toMatchObject({ created: 1, rejected: 1 });
  expect(stderr).toContain('"scale" is not standard, batch, flex or priority; --map service_tier= leaves');
  expect((await importFile('usage.csv', file, '--map', 'service_tier=')).json).toMatchObject({
    created: 1,
    replayed: 1,
  });
});

test.each([
  ['reported_cost', '-1', 'reported_cost "-1" is negative'],
  ['reported_cost', '1,234', 'could be a thousand times more or less'],
  ['reported_currency', 'dollars', 'is not the ISO 4217 code'],
  ['call_outcome', 'maybe', 'is not succeeded, interrupted or failed'],
  ['input_seconds', 'x', 'input_seconds "x" is not a decimal number'],
  ['search_queries', '1.5', 'is a fraction'],
])('a row with %s %j is rejected with the reason', async (column, value, reason) => {
  const file = harness.write('bad.csv', [`${HEADER},${column}`, `${ROW},"${value}"`]);
  expect((await harness.import(file)).json).toMatchObject({ created: 0, rejected: 1 });
  expect(rejectsOf(`${file}.rejects.ndjson`)[0]?.['reason']).toContain(reason);
});

const usd = (nanos: string) => ({ currencyCode: 'USD', nanos });
const claudeUsage = {
  input_tokens: 7,
  output_tokens: 3,
  service_tier: 'priority',
  inference_geo: 'us',
  server_tool_use: { web_search_requests: 2 },
};
const searches = (amount: string) => [{ kind: 'USAGE_KIND_SEARCH_QUERY', amount }];

test.each<[string, string | object, object, string[]?]>([
  [
    'Anthropic console export',
    'usage_date_utc,model_version,usage_type,usage_input_tokens_no_cache,usage_input_tokens_cache_write_5m,usage_input_tokens_cache_write_1h,usage_input_tokens_cache_read,usage_output_tokens,web_search_count,inference_geo\n2026-09-01,claude,batch,700,0,0,0,90,2,not_available',
    { tier: 'batch', quantities: searches('2') },
  ],
  [
    'Anthropic usage report',
    {
      starting_at: '2026-09-01T00:00:00Z',
      uncached_input_tokens: 1,
      output_tokens: 1,
      model: 'claude',
      service_tier: 'flex',
      inference_geo: 'us',
      server_tool_use: { web_search_requests: 10 },
    },
    { tier: 'flex', region: 'us', quantities: searches('10') },
  ],
  [
    'Claude Code session',
    {
      type: 'assistant',
      sessionId: 's',
      timestamp: '2026-09-01T10:00:00Z',
      message: { id: 'm1', model: 'claude', usage: claudeUsage, stop_reason: 'end_turn' },
    },
    { tier: 'priority', region: 'us', quantities: searches('2'), outcome: 'succeeded' },
  ],
  [
    'OpenAI usage export',
    'start_time,end_time,num_model_requests,model,batch,service_tier,input_tokens,output_tokens\n1788220800,1788307200,3,gpt-5.2,False,flex,1000,50',
    { tier: 'flex' },
  ],
  [
    'OpenAI usage export',
    'start_time,end_time,num_model_requests,model,batch,service_tier,input_tokens,output_tokens\n1788220800,1788307200,3,gpt-5.2,True,default,1000,50',
    { tier: 'batch' },
  ],
  [
    'OpenAI usage export, speech and transcription',
    'start_time,end_time,num_model_requests,model,seconds\n1788220800,1788307200,3,whisper-1,12.5\n1788307200,1788393600,,,',
    { quantities: [{ kind: 'USAGE_KIND_INPUT_MILLISECOND', amount: '12500' }] },
  ],
  [
    'OpenAI usage export, speech and transcription',
    {
      object: 'page',
      data: [
        {
          start_time: 1788220800,
          end_time: 1788307200,
          results: [{ object: 'x.result', characters: 45, num_model_requests: 1, model: 'tts-1' }],
        },
      ],
    },
    { quantities: [{ kind: 'USAGE_KIND_INPUT_CHARACTER', amount: '45' }] },
  ],
  [
    'AWS Bedrock invocation log',
    {
      schemaType: 'ModelInvocationLog',
      timestamp: '2026-09-01T10:00:00Z',
      requestId: 'r1',
      region: 'eu-central-1',
      inferenceRegion: 'eu-north-1',
      modelId: 'm',
      input: { inputTokenCount: 1 },
      output: { outputTokenCount: 1 },
    },
    { region: 'eu-central-1' },
  ],
  [
    'Gemini usage metadata',
    {
      usageMetadata: {
        promptTokenCount: 1,
        candidatesTokenCount: 1,
        totalTokenCount: 2,
        trafficType: 'ON_DEMAND_FLEX',
      },
      modelVersion: 'g',
      responseId: 'g1',
      createTime: '2026-09-01T10:00:00Z',
    },
    { tier: 'flex' },
  ],
  [
    'LiteLLM spend logs',
    'request_id,call_type,spend,prompt_tokens,completion_tokens,startTime,model,custom_llm_provider,status\nq1,acompletion,1.2e-05,1,1,2026-09-01 12:00:00,m,openai,success',
    { reportedCost: usd('12000'), outcome: 'succeeded' },
  ],
  [
    'Langfuse observations',
    'id,traceId,type,startTime,model,promptTokens,completionTokens,totalTokens,totalCost,level\no1,t,GENERATION,2026-09-01T10:00:00Z,m,1,1,2,0.3,DEFAULT',
    { reportedCost: usd('300000000') },
  ],
  [
    'Helicone requests',
    'request_id,request_created_at,response_status,response_model,provider,prompt_tokens,completion_tokens,total_tokens,cost,cost_usd\nh1,2026-09-01T10:00:00Z,200,m,OPENAI,1,1,2,5000000,0.005',
    { reportedCost: usd('5000000'), outcome: 'succeeded' },
  ],
  [
    'OpenRouter activity',
    'generation_id,created_at,cost_total,tokens_prompt,tokens_completion,model_permaslug,provider_name,cancelled,finish_reason_normalized\ng1,2026-09-01 10:00:00,0.0012,1,1,m,OpenAI,true,stop',
    { reportedCost: usd('1200000'), outcome: 'interrupted' },
  ],
  [
    'OpenRouter activity by day',
    'date,model,model_permaslug,endpoint_id,provider_name,usage,byok_usage_inference,requests,prompt_tokens,completion_tokens\n2026-09-01,m,m,e,OpenAI,0.015,0.012,5,50,125',
    { reportedCost: usd('15000000') },
    ['--yes'],
  ],
  [
    'Cursor usage events',
    'Date,User,Kind,Model,Input (w/ Cache Write),Input (w/o Cache Write),Cache Read,Output Tokens,Total Tokens,Cost\n2026-09-01T10:00:00Z,a,"Aborted, Not Charged",m,0,1,0,1,2,$0.12',
    { reportedCost: usd('120000000'), outcome: 'interrupted' },
  ],
  [
    'Cursor usage events, JSON',
    {
      timestamp: '1788256800000',
      model: 'm',
      userEmail: 'a',
      tokenUsage: { inputTokens: 1, outputTokens: 1, totalCents: 1.25 },
    },
    { reportedCost: usd('12500000') },
  ],
  [
    'OpenTelemetry GenAI',
    {
      spanId: 'a1',
      start_time: '2026-09-01T10:00:00Z',
      attributes: {
        'gen_ai.provider.name': 'openai',
        'gen_ai.request.model': 'm',
        'gen_ai.usage.input_tokens': 1,
        'gen_ai.usage.output_tokens': 1,
        'openai.request.service_tier': 'auto',
        'openai.response.service_tier': 'priority',
      },
    },
    { tier: 'priority' },
  ],
  [
    'OpenAI response objects',
    {
      id: 'resp_1',
      created_at: 1788256800,
      status: 'cancelled',
      model: 'm',
      service_tier: 'default',
      usage: { input_tokens: 1, input_tokens_details: { cached_tokens: 0 }, output_tokens: 1, cost: 0.00014 },
    },
    { reportedCost: usd('140000'), outcome: 'interrupted' },
  ],
  [
    'Anthropic usage objects',
    {
      timestamp: '2026-09-01T10:00:00Z',
      model: 'claude',
      usage: { ...claudeUsage, cache_read_input_tokens: 0 },
      stop_reason: 'max_tokens',
    },
    { tier: 'priority', region: 'us', quantities: searches('2') },
  ],
])('%s', async (layout, text, right, flags = []) => {
  const [name, lines] = typeof text === 'string' ? ['f.csv', text] : ['f.ndjson', JSON.stringify(text)];
  const { json, charges } = await importFile(name, [lines], ...flags);
  expect(json).toMatchObject({ created: 1, plan: { layout } });
  expect(contentOf(charges[0])).toEqual({
    tier: 'standard',
    region: undefined,
    quantities: undefined,
    reportedCost: undefined,
    outcome: undefined,
    ...right,
  });
});

test('charges of the service in proto3 JSON keep their content, and those that were voided are left out', async () => {
  const charge = Charge.fromPartial({
    id: '0193e4a0-0000-7000-8000-000000000001',
    userProfile: 'ann',
    provider: 1,
    chargeType: 1,
    model: 'm',
    promptTokens: 5n,
    usageTime: { seconds: 1_788_256_800n, nanos: 0 },
    serviceTier: ServiceTier.SERVICE_TIER_FLEX,
    region: 'eu',
    quantities: [{ kind: 21, amount: 9_007_199_254_740n }],
    reportedCost: { currencyCode: 'CHF', nanos: 9_007_199_254_740_993n },
    callOutcome: CallOutcome.CALL_OUTCOME_SUCCEEDED,
    state: ChargeState.CHARGE_STATE_ACTIVE,
  });
  const voided = { ...charge, id: 'v', state: ChargeState.CHARGE_STATE_VOIDED };
  const lines = [charge, voided].map((each) => JSON.stringify(Charge.toJSON(each)));
  const { json, charges } = await importFile('charges.ndjson', lines);
  expect(json).toMatchObject({ created: 1, left_out: 1 });
  const { serviceTier, region, quantities, reportedCost, callOutcome } = charge;
  expect(charges).toMatchObject([{ serviceTier, region, quantities, reportedCost, callOutcome }]);
});
