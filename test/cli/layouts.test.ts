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
