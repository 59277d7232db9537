/** `charge amend`: how values change, and what is shown before. */

import { afterEach, beforeEach, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { CallOutcome, Charge, ChargeState, Provider } from '../../../generated/charge/v1/charge.ts';
import { ServiceTier } from '../../../generated/charge/v1/money.ts';
import {
  amendedCharge,
  contentOf,
  differencesOf,
  type Change,
} from '../../../src/cli/corrections/amended-charge.ts';
import { FakeCorrections } from './support/fake-corrections.ts';

const REASON = ['--reason', 'wrong model'];
let service: FakeCorrections;

beforeEach(async () => {
  service = await FakeCorrections.open();
});
afterEach(() => service.close());

/** The charge after these changes, and what could not be read. */
function amend(original: Charge, ...changes: Change[]) {
  const faults: string[] = [];
  const charge = amendedCharge(original, changes, faults);
  return { charge, faults };
}

test('the whole charge is sent, with the changes and without what the server sets', async () => {
  const { id } = service.put(1, { importId: 'x', labels: new Map([['team', 'a']]), sessionKey: 's' });
  const { code, stdout, stderr } = await service.run(
    'amend',
    id,
    ...['--set', 'model=gpt-5.2', '--set', 'prompt_tokens=20', '--set', 'label.team='],
    ...REASON,
    '--yes',
  );
  expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringContaining(`counts in place of ${id}`) });
  for (const line of [
    'model: m → gpt-5.2',
    'prompt_tokens: 10 → 20',
    'total_tokens: 12 → 22',
    'label.team: a → (none)',
    'cost: 1.50 USD → 3.00 USD (estimate',
  ])
    expect(stderr).toContain(line);
  expect(service.amendments).toMatchObject([
    {
      requestId: `amend:${id}`,
      reason: 'wrong model',
      allowClosedPeriod: false,
      charge: { id: '', importId: '', cost: undefined },
    },
  ]);
  expect(service.amendments[0]?.charge).toMatchObject({
    model: 'gpt-5.2',
    promptTokens: 20n,
    totalTokens: 22n,
    sessionKey: 's',
    userProfile: 'ann',
    usageTime: { seconds: 1_788_256_801n },
  });
});

test('a dry run and a missing agreement send nothing', async () => {
  const { id } = service.put(1);
  service.faults.hasNoPrices = true;
  const dry = await service.run('amend', id, '--set', 'model=x', ...REASON, '--dry-run', '--json');
  expect(dry.code).toBe(0);
  expect(JSON.parse(dry.stdout)).toEqual({
    status: 'dry_run',
    charge_id: id,
    replacement_id: null,
    replayed: false,
    changes: [{ field: 'model', before: 'm', after: 'x' }],
    estimated_cost: null,
    cost: null,
  });
  expect(await service.run('amend', id, '--set', 'model=x', ...REASON)).toMatchObject({ code: 2 });
  expect(service.amendments).toEqual([]);
});

test('a charge that was corrected before is left alone', async () => {
  const { id } = service.put(1, { state: ChargeState.CHARGE_STATE_AMENDED, replacedBy: 'r' });
  const { code, stderr } = await service.run('amend', id, '--set', 'model=x', ...REASON, '--yes');
  expect(code).toBe(1);
  expect(stderr).toContain('charge r counts in its place');
});

test('the same command again is replayed, and another one is refused', async () => {
  const { id } = service.put(1);
  const args = ['amend', id, '--set', 'model=x', ...REASON];
  await service.run(...args, '--yes');
  const again = await service.run(...args);
  expect(again).toMatchObject({ code: 0, stdout: expect.stringMatching(/^Replayed.* counts in place of /) });
  const { stdout } = await service.run(...args, '--json');
  expect(JSON.parse(stdout)).toMatchObject({
    replayed: true,
    replacement_id: service.charges.get(id)?.replacedBy,
  });
  const other = await service.run(...args, '--request-id', 'another');
  expect(other).toMatchObject({ code: 1, stderr: expect.stringContaining('was amended: charge') });
});

test('in a closed period it names the flag', async () => {
  const { id } = service.put(1);
  service.faults.closed = new Set([id]);
  const args = ['amend', id, '--set', 'model=x', ...REASON, '--yes'];
  const refused = await service.run(...args);
  expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('--allow-closed-period') });
  expect(await service.run(...args, '--allow-closed-period')).toMatchObject({ code: 0 });
});

test.each<[string[], string]>([
  [['--set', 'model=m'], 'has these values already'],
  [['--set', 'modle=m'], 'a charge has no field modle'],
  [['--set', 'prompt_tokens=1.5'], 'prompt_tokens "1.5" is a fraction'],
  [['--set', 'cache_write_tokens=1'], 'no field cache_write_tokens'],
  [['--set', 'cache_read_tokens=11'], 'must not exceed prompt_tokens'],
  [['--set', 'user_profile='], 'user_profile'],
  [['--set', 'reported_cost=1', '--set', 'reported_currency=XXX'], 'reported_cost'],
  [['--set', 'x'], 'expected FIELD=VALUE'],
  [[], 'name at least one field'],
])('%j is refused before anything is sent', async (args, text) => {
  const { id } = service.put(1);
  const { code, stderr } = await service.run('amend', id, ...args, ...REASON, '--yes');
  expect(code).toBe(2);
  expect(stderr).toContain(text);
  expect(service.amendments).toEqual([]);
});

test('empty values take away, and parts that stand together stay together', () => {
  const original = Charge.fromPartial({
    provider: Provider.PROVIDER_OTHER,
    otherProvider: 'together',
    promptTokens: 5n,
    completionTokens: 2n,
    totalTokens: 9n,
    serviceTier: ServiceTier.SERVICE_TIER_BATCH,
    callOutcome: CallOutcome.CALL_OUTCOME_FAILED,
    quantities: [{ kind: 20, amount: 3n }],
    reportedCost: { currencyCode: 'EUR', nanos: 5n },
  });
  const { charge, faults } = amend(
    original,
    ['provider', 'openai'],
    ['prompt_tokens', '6'],
    ['service_tier', ''],
    ['call_outcome', ''],
    ['search_queries', '0'],
    ['output_images', '2'],
    ['reported_cost', '0.5'],
  );
  expect(faults).toEqual([]);
  expect(charge).toMatchObject({
    provider: Provider.PROVIDER_OPENAI,
    otherProvider: '',
    promptTokens: 6n,
    // It was no sum, so it is not touched.
    totalTokens: 9n,
    serviceTier: 0,
    callOutcome: 0,
    quantities: [{ kind: 22, amount: 2n }],
    reportedCost: { currencyCode: 'EUR', nanos: 500_000_000n },
  });
  expect(amend(original, ['reported_cost', '']).charge.reportedCost).toBeUndefined();
});

test('a charge without changes is the same charge, and a change of one text shows as one difference', () => {
  const text = fc.string({ minLength: 1, maxLength: 20 });
  const count = fc.bigInt(0n, 2n ** 62n);
  fc.assert(
    fc.property(
      text,
      text,
      count,
      count,
      fc.dictionary(text, text),
      (model, region, prompt, completion, labels) => {
        const original = Charge.fromPartial({
          provider: 1,
          model,
          promptTokens: prompt,
          completionTokens: completion,
        });
        original.totalTokens = prompt + completion;
        for (const [key, value] of Object.entries(labels)) original.labels.set(key, value);
        expect(differencesOf(contentOf(original), amend(original).charge)).toEqual([]);
        const { charge } = amend(original, ['region', region]);
        expect(differencesOf(contentOf(original), charge)).toEqual([
          { field: 'region', before: '', after: region },
        ]);
      },
    ),
  );
});
