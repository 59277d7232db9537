/** Small files as other programs write them, and what each becomes without a flag. */

import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { providerToJSON } from '../../generated/charge/v1/charge.ts';
import { Harness } from './support/harness.ts';
import { EXAMPLES, type Right } from './support/layout-examples.ts';

let harness: Harness;

beforeAll(async () => {
  harness = await Harness.open();
});

afterAll(() => harness.close());

test.each(EXAMPLES.map((example) => [`${example.layout}, ${example.name}`, example] as const))(
  '%s',
  async (_, example) => {
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
  },
);
