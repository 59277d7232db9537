/** LiteLLM's price map, pattern by pattern. */

import { describe, expect, test } from '@jest/globals';
import { Provider } from '../../../generated/charge/v1/charge.ts';
import { ServiceTier } from '../../../generated/charge/v1/money.ts';
import { ModelMatch } from '../../../generated/charge/v1/price_service.ts';
import { basisText, describeKey } from '../../../src/cli/prices/price-text.ts';
import type { PriceFile } from '../../../src/cli/prices/price-file.ts';
import { convert, convertEntries } from './support/catalogue.ts';

const TOKENS = { input_cost_per_token: 2.5e-6, output_cost_per_token: 1e-5 };

/** Keys and rates, in the order of the file. */
function pricesOf(file: PriceFile): Record<string, string> {
  return Object.fromEntries(
    file.prices.map(({ price }) => [price.key ? describeKey(price.key) : '', basisText(price)]),
  );
}

test('rates are read from the text of the file, not from a double; what is finer than a rate is rounded', () => {
  const file = convert(
    '{"m":{"litellm_provider":"openai","input_cost_per_token":0.0000012345678945,"output_cost_per_token":900.0000000000001}}',
  );
  expect(pricesOf(file)).toEqual({ 'openai m': 'USD input 1.234567894, output 900000000.0000001' });
  expect(file.notes.rounded).toEqual([
    {
      origin: 'm',
      field: 'input_cost_per_token',
      text: '0.0000012345678945',
      nanosPerMillion: 1_234_567_894n,
    },
  ]);
});

test('every kind of rate has its field', () => {
  const file = convertEntries({
    tokens: {
      ...TOKENS,
      cache_read_input_token_cost: 1e-6,
      cache_creation_input_token_cost: 2e-6,
      cache_creation_input_token_cost_above_1hr: 3e-6,
      output_cost_per_reasoning_token: 4e-6,
      input_cost_per_audio_token: 5e-6,
      output_cost_per_audio_token: 6e-6,
      input_cost_per_image_token: 7e-6,
      output_cost_per_image_token: 8e-6,
      input_cost_per_request: 0.005,
      search_context_cost_per_query: {
        search_context_size_low: 0.01,
        search_context_size_medium: 0.02,
        search_context_size_high: 0.03,
      },
    },
    hit: { ...TOKENS, input_cost_per_token_cache_hit: 1e-7 },
    rerank: { input_cost_per_token: 0, input_cost_per_query: 0.002 },
    images: { input_cost_per_image: 0.01, output_cost_per_image: 0.04 },
    speech: { input_cost_per_character: 1.5e-5, output_cost_per_character: 3e-5 },
    film: { input_cost_per_second: 0.0001, output_cost_per_second: 0.5 },
    veo: { output_cost_per_video_per_second: 0.4 },
  });
  expect(pricesOf(file)).toEqual({
    'openai tokens':
      'USD input 2.5, output 10, cache_read 1, cache_write_5m 2, cache_write_1h 3, reasoning 4, audio_input 5, ' +
      'audio_output 6, request 0.005, image_token_input 7, image_token_output 8, search_query 0.02',
    'openai hit': 'USD input 2.5, output 10, cache_read 0.1',
    'openai rerank': 'USD input 0, search_query 0.002',
    'openai images': 'USD input_image 0.01, output_image 0.04',
    'openai speech': 'USD input_character 0.000015, output_character 0.00003',
    'openai film': 'USD input_millisecond 0.0000001, output_millisecond 0.0005',
    'openai veo': 'USD output_millisecond 0.0004',
  });
});

test('--search-size chooses among the prices of a search', () => {
  const search_context_cost_per_query = { search_context_size_low: 0.01, search_context_size_high: 0.03 };
  const entries = { m: { ...TOKENS, search_context_cost_per_query } };
  expect(pricesOf(convertEntries(entries, { searchSize: 'high' }))['openai m']).toContain(
    'search_query 0.03',
  );
  expect(pricesOf(convertEntries(entries))['openai m']).not.toContain('search_query');
});

test('tiers by prompt length are read by pattern; what a tier does not state is that of the base, and reported', () => {
  const file = convertEntries({
    m: {
      ...TOKENS,
      cache_read_input_token_cost: 1e-6,
      input_cost_per_token_above_128k_tokens: 3e-6,
      output_cost_per_token_above_128k_tokens: 2e-5,
      input_cost_per_token_above_272k_tokens: 4e-6,
      output_cost_per_token_above_272k_tokens: 3e-5,
      cache_read_input_token_cost_above_272k_tokens: 2e-6,
      cache_creation_input_token_cost_above_1hr_above_272k_tokens: 9e-6,
    },
  });
  expect(pricesOf(file)).toEqual({
    'openai m':
      'USD input 2.5, output 10, cache_read 1; ' +
      'above 128000 prompt tokens input 3, output 20, cache_read 1; ' +
      'above 272000 prompt tokens input 4, output 30, cache_read 2, cache_write_1h 9',
  });
  expect(file.notes.copied).toEqual([{ entry: 'm', abovePromptTokens: 128_000n, kinds: ['cache_read'] }]);
});

test('batch, flex and priority prices are prices of their own service tier', () => {
  const file = convertEntries({
    m: {
      ...TOKENS,
      input_cost_per_token_batches: 1.25e-6,
      output_cost_per_token_batches: 5e-6,
      input_cost_per_token_flex: 1e-6,
      cache_read_input_token_cost_flex: 1e-7,
      input_cost_per_token_priority: 5e-6,
      input_cost_per_token_above_200k_tokens_priority: 9e-6,
    },
    embedding: { input_cost_per_token: 1e-7, input_cost_per_token_batch_requests: 5e-8 },
  });
  expect(pricesOf(file)).toEqual({
    'openai m': 'USD input 2.5, output 10',
    'openai m, batch': 'USD input 1.25, output 5',
    'openai m, flex': 'USD input 1, cache_read 0.1',
    'openai m, priority': 'USD input 5; above 200000 prompt tokens input 9',
    'openai embedding': 'USD input 0.1',
    'openai embedding, batch': 'USD input 0.05',
  });
  const tiers = file.prices.map(({ price }) => price.key?.serviceTier);
  expect(tiers.slice(1, 4)).toEqual([
    ServiceTier.SERVICE_TIER_BATCH,
    ServiceTier.SERVICE_TIER_FLEX,
    ServiceTier.SERVICE_TIER_PRIORITY,
  ]);
});

describe('names', () => {
  test.each([
    ['gpt-4o', 'openai', 'openai gpt-4o'],
    ['openai/gpt-4o', 'openai', 'openai gpt-4o'],
    ['ft:gpt-4o', 'openai', 'openai ft:gpt-4o:*'],
    ['davinci', 'text-completion-openai', 'openai davinci'],
    ['azure/eu/gpt-4o', 'azure', 'azure_ai_openai gpt-4o, region eu'],
    ['azure/global/gpt-4o', 'azure', 'azure_ai_openai gpt-4o, region global'],
    ['azure/gpt-4o', 'azure_text', 'azure_ai_openai gpt-4o'],
    ['azure_ai/phi', 'azure_ai', 'azure_ai_inference phi'],
    [
      'bedrock/us-gov-west-1/amazon.nova-lite-v1:0',
      'bedrock',
      'aws_bedrock amazon.nova-lite-v1:0, region us-gov-west-1',
    ],
    ['us.amazon.nova-lite-v1:0', 'bedrock_converse', 'aws_bedrock us.amazon.nova-lite-v1:0'],
    ['vertex_ai/claude-opus-4', 'vertex_ai-anthropic_models', 'gcp_vertex_ai claude-opus-4'],
    ['text-bison', 'vertex_ai-text-models', 'gcp_vertex_ai text-bison'],
    ['command-r', 'cohere_chat', 'cohere command-r'],
    ['codestral/codestral-latest', 'codestral', 'mistral_ai codestral-latest'],
    ['xai/grok-4', 'xai', 'x_ai grok-4'],
    ['moonshot/kimi-k2', 'moonshot', 'moonshot_ai kimi-k2'],
    ['meta_llama/Llama-4', 'meta_llama', 'meta_ai Llama-4'],
    ['openrouter/openai/gpt-4o', 'openrouter', 'openrouter openai/gpt-4o'],
    ['mistralai/mistral-small', 'openrouter', 'openrouter mistralai/mistral-small'],
    ['fireworks_ai/whereisai/uae', 'fireworks_ai-embedding-models', 'fireworks_ai whereisai/uae'],
  ])('%s of %s is %s', (entry, litellm_provider, key) => {
    const file = convertEntries({ [entry]: { ...TOKENS, litellm_provider } });
    expect(Object.keys(pricesOf(file))).toEqual([key]);
  });

  test("Gemini's own API is priced under each name that callers record", () => {
    const file = convertEntries({ 'gemini/gemini-2.5-pro': { ...TOKENS, litellm_provider: 'gemini' } });
    expect(Object.keys(pricesOf(file))).toEqual([
      'gcp_gemini gemini-2.5-pro',
      'google_ai gemini-2.5-pro',
      'gcp_gen_ai gemini-2.5-pro',
    ]);
  });

  test('a tuned model is a prefix that ends where the name of the tuning begins', () => {
    const file = convertEntries({ 'ft:gpt-4o-mini-2024-07-18': TOKENS });
    expect(file.prices[0]?.price.key).toMatchObject({
      model: 'ft:gpt-4o-mini-2024-07-18:',
      modelMatch: ModelMatch.MODEL_MATCH_PREFIX,
    });
  });
});

test('of two entries with one key the one that spells its provider wins', () => {
  const dear = { ...TOKENS, input_cost_per_token: 9e-6 };
  const file = convertEntries({
    a: dear,
    'openai/a': TOKENS,
    'openai/b': TOKENS,
    b: dear,
    c: TOKENS,
    'openai/c': TOKENS,
  });
  expect(pricesOf(file)).toEqual({
    'openai a': 'USD input 2.5, output 10',
    'openai b': 'USD input 2.5, output 10',
    'openai c': 'USD input 2.5, output 10',
  });
  expect(file.notes.conflicts).toEqual([
    { entry: 'a', kept: 'openai/a', key: 'openai a' },
    { entry: 'b', kept: 'openai/b', key: 'openai b' },
  ]);
  expect(file.notes.sameAgain).toEqual([{ entry: 'c', kept: 'openai/c', key: 'openai c' }]);
});

describe('left out', () => {
  test.each([
    ['every price is 0', 'm', { input_cost_per_token: 0, output_cost_per_token: 0.0 }],
    ['no price', 'm', { max_tokens: 4096 }],
    ['no price', 'm', { input_cost_per_token: null }],
    ['image priced per pixel', 'm', { input_cost_per_pixel: 1e-8, output_cost_per_pixel: 0 }],
    ['image priced per pixel', 'm', { input_cost_per_pixel: 0 }],
    ['provisioned throughput by time', 'bedrock/*/1-month-commitment/m', { input_cost_per_second: 0.01 }],
    ['priced by ocr_cost_per_page', 'm', { input_cost_per_token: 0, ocr_cost_per_page: 0.001 }],
    ['priced by tiered_pricing', 'm', { tiered_pricing: [{ input_cost_per_token: 1e-6 }] }],
    ['not a model', 'sample_spec', TOKENS],
    ['not a model', 'm', { ...TOKENS, litellm_provider: undefined }],
    ['another name of a model', 'm-latest', { litellm_provider: undefined, alias_of: 'good' }],
    ['input_cost_per_token: -1 is negative', 'm', { ...TOKENS, input_cost_per_token: -1 }],
    [
      'two prices for cache_read',
      'm',
      { ...TOKENS, cache_read_input_token_cost: 1e-6, input_cost_per_token_cache_hit: 2e-6 },
    ],
  ])('%s: %s', (reason, entry, fields) => {
    const file = convertEntries({ [entry]: fields, good: TOKENS });
    expect(Object.keys(pricesOf(file))).toEqual(['openai good']);
    expect([...file.notes.leftOut]).toEqual([[reason, [entry]]]);
  });

  test('with --zero-means-free prices of 0 are prices', () => {
    const file = convertEntries(
      { m: { input_cost_per_token: 0, output_cost_per_token: 0 } },
      { zeroMeansFree: true },
    );
    expect(pricesOf(file)).toEqual({ 'openai m': 'USD input 0, output 0' });
  });

  test('a tier whose prices are all 0 is not a free tier', () => {
    const fields = { ...TOKENS, input_cost_per_token_above_128k_tokens: 0 };
    const file = convertEntries({ m: fields });
    expect(pricesOf(file)).toEqual({ 'openai m': 'USD input 2.5, output 10' });
    expect([...file.notes.ignored]).toEqual([['input_cost_per_token_above_128k_tokens', ['m']]]);
  });

  test('what is counted in other ways beside tokens is not counted twice', () => {
    const file = convertEntries({
      m: {
        ...TOKENS,
        input_cost_per_image: 0.01,
        output_cost_per_second: 0.1,
        input_cost_per_character: 0,
        citation_cost_per_token: 1e-6,
      },
    });
    expect(pricesOf(file)).toEqual({ 'openai m': 'USD input 2.5, output 10' });
    expect([...file.notes.ignored.keys()]).toEqual([
      'input_cost_per_image',
      'output_cost_per_second',
      'citation_cost_per_token',
    ]);
  });

  test('a price by the second that is stated in and out is one price', () => {
    const file = convertEntries({
      'whisper-1': { input_cost_per_second: 0.0001, output_cost_per_second: 0.0001 },
    });
    expect(pricesOf(file)).toEqual({ 'openai whisper-1': 'USD input_millisecond 0.0000001' });
  });
});

test('the source names the file by its hash and the entry, within the length of the contract', () => {
  const long = 'm'.repeat(240);
  const file = convertEntries({ 'openai/m': TOKENS, [long]: TOKENS });
  const [first, second] = file.prices.map(({ price }) => price.source);
  expect(first).toMatch(/^litellm:[0-9a-f]{16}#openai\/m$/);
  expect(second).toHaveLength(255);
});

test('--only leaves out what is not asked for, and does not count it', () => {
  const file = convertEntries(
    {
      a: TOKENS,
      b: { ...TOKENS, litellm_provider: 'anthropic' },
      'gemini/c': { ...TOKENS, litellm_provider: 'gemini' },
      d: {},
    },
    { isWanted: (provider) => provider === Provider.PROVIDER_GCP_GEMINI },
  );
  expect(Object.keys(pricesOf(file))).toEqual(['gcp_gemini c']);
  expect(file.entries).toBe(1);
  expect(file.notes.leftOut.size).toBe(0);
});
