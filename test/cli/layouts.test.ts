/** Small files as other programs write them, and what each becomes without a flag. */

import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { providerToJSON } from '../../generated/charge/v1/charge.ts';
import { Harness } from './support/harness.ts';
import { EXAMPLES, type Right } from './support/layout-examples.ts';
import { VARIANTS } from './support/layout-variants.ts';

let harness: Harness;

beforeAll(async () => {
  harness = await Harness.open();
});

afterAll(() => harness.close());

test('reports of two people have the same days and models: their users tell them apart', async () => {
  harness.service.charges.clear();
  const text = EXAMPLES.find(({ name }) => name === 'ccusage.ndjson')?.text ?? [];
  const file = harness.write('ccusage.ndjson', JSON.stringify(text[0]));
  const run = async (user: string, ...flags: string[]) =>
    (await harness.import(file, '--set', `user_profile=${user}`, ...flags)).json;
  expect(await run('ann')).toMatchObject({ created: 2 });
  // The same counts at the same time may be a mistake, so that is asked.
  expect(await run('bob')).toMatchObject({ status: 'refused' });
  expect(await run('bob', '--yes')).toMatchObject({ created: 2 });
  expect(await run('ann')).toMatchObject({ created: 0, replayed: 2 });
});

test('reports by week and by month: an equal row of another month is another charge', async () => {
  harness.service.charges.clear();
  const run = async (kind: 'week' | 'month', names: readonly string[], ...flags: string[]) => {
    const usage = { inputTokens: 10, outputTokens: 2, cacheCreationTokens: 20, cacheReadTokens: 50 };
    const rows = names.map((name) => ({
      [kind]: name,
      ...usage,
      modelBreakdowns: [{ modelName: 'claude-opus-5-5', ...usage }],
    }));
    const file = harness.write('ccusage.json', JSON.stringify({ [`${kind}ly`]: rows, totals: usage }));
    return (await harness.import(file, ...flags)).json;
  };
  expect(await run('week', ['2026-05-03', '2026-05-10'])).toMatchObject({ created: 2 });
  // A month is no moment, so its time is asked.
  expect(await run('month', ['2026-05'])).toMatchObject({ status: 'refused' });
  expect(await run('month', ['2026-05'], '--yes')).toMatchObject({ created: 1 });
  expect(await run('month', ['2026-05', '2026-06'], '--yes')).toMatchObject({ created: 1, replayed: 1 });
});

test('of the parts of a streamed Gemini response the last one has all counts', async () => {
  harness.service.charges.clear();
  const part = (candidatesTokenCount: number) => ({
    usageMetadata: { promptTokenCount: 10, candidatesTokenCount, totalTokenCount: 10 + candidatesTokenCount },
    modelVersion: 'gemini-3.5-pro',
    responseId: 'g1',
    createTime: '2026-09-01T10:00:00Z',
  });
  const { json } = await harness.import(harness.write('gemini.json', JSON.stringify([part(1), part(9)])));
  expect(json).toMatchObject({ created: 1, left_out: 1, prompt_tokens: '10', completion_tokens: '9' });
});

test('a bucket of OpenAI with 0 requests and no counts is left out', async () => {
  harness.service.charges.clear();
  const file = harness.write('usage.csv', [
    'start_time,end_time,num_model_requests,model,input_tokens,output_tokens',
    '1788220800,1788307200,1,gpt-5.2,10,2',
    '1788307200,1788393600,0,,,',
  ]);
  const { code, json } = await harness.import(file);
  expect({ code, ...json }).toMatchObject({ code: 0, created: 1, rejected: 0, left_out: 1 });
});

test.each(
  [...EXAMPLES, ...VARIANTS].map((example) => [`${example.layout}, ${example.name}`, example] as const),
)('%s', async (_, example) => {
  const { layout, name, text, flags = [], charges, ids, leftOut = 0 } = example;
  harness.service.charges.clear();
  const lines = typeof text === 'string' ? text : text.map((line) => JSON.stringify(line));
  const file = harness.write(name, typeof lines === 'string' ? lines : [...lines]);
  const { code, json } = await harness.import(file, ...flags);
  expect({ code, ...json }).toMatchObject({ code: 0, rejected: 0, left_out: leftOut, plan: { layout } });
  const stored = [...harness.service.charges.values()].map((charge): Right => {
    const { seconds = 0n, nanos = 0 } = charge.usageTime ?? {};
    return [
      charge.promptTokens,
      charge.completionTokens,
      charge.totalTokens,
      charge.tokenDetails?.cacheReadTokens ?? 0n,
      charge.tokenDetails?.reasoningTokens ?? 0n,
      providerToJSON(charge.provider).replace('PROVIDER_', ''),
      charge.model,
      charge.userProfile,
      charge.sessionKey,
      new Date(Number(seconds) * 1000 + Math.trunc(nanos / 1e6)).toISOString(),
    ];
  });
  expect(stored).toEqual(charges);
  if (ids) expect([...harness.service.charges.keys()]).toEqual(ids);
  // Again, and nothing is charged twice.
  expect((await harness.import(file, ...flags)).json).toMatchObject({
    created: 0,
    replayed: charges.length,
  });
});
