/** What an import says at its end: its id, what its charges cost, and what was voided or amended before. */

import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { ChargeState, type Charge } from '../../generated/charge/v1/charge.ts';
import { Cost, CostStatus } from '../../generated/charge/v1/money.ts';
import { Harness, usage, usageOf } from './support/harness.ts';
import { runInProcess } from './support/in-process.ts';

const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
let harness: Harness;

beforeEach(async () => {
  harness = await Harness.open();
});
afterEach(() => harness.close());

const stored = (): Charge[] => [...harness.service.charges.values()];
const priced = (currencyCode: string, nanos: bigint) =>
  Cost.fromPartial({ status: CostStatus.COST_STATUS_PRICED, amount: { currencyCode, nanos } });
const UNPRICED = Cost.fromPartial({ status: CostStatus.COST_STATUS_UNPRICED });

test('each run has an id of its own, and a replayed row keeps the import that recorded it', async () => {
  const file = harness.write('usage.csv', usage(2));
  const first = await harness.import(file);
  const id = String(first.json['import_id']);
  expect(id).toMatch(UUID_V7);
  expect(first.stderr).toContain(`Recording as import ${id}.`);
  const again = await harness.import(harness.write('more.csv', usage(3)));
  expect(again.json).toMatchObject({ created: 1, replayed: 2 });
  expect(stored().map(({ importId }) => importId)).toEqual([id, id, again.json['import_id']]);
  const { stdout } = await runInProcess(
    'import',
    harness.write('4.csv', usage(4)),
    '--address',
    harness.service.address,
  );
  const last = stored()[3]?.importId;
  expect(stdout).toContain(`Import ${last}: to take it back, run: npx charge void --import ${last} --reason`);
});

test('an import that recorded nothing has nothing to take back', async () => {
  const file = harness.write('usage.csv', usage(1));
  await harness.import(file);
  for (const flags of [[], ['--dry-run'], ['--set', 'reference=x', '--yes']]) {
    const { json } = await harness.import(file, ...flags);
    expect(json).toMatchObject({ created: 0, import_id: null });
    expect(String(json['hints'])).not.toContain('take it back');
  }
});

test('sums are exact and by currency, and charges without a price are counted apart', async () => {
  harness.service.faults.costOf = ({ model, promptTokens }) => {
    if (model.startsWith('new')) return UNPRICED;
    return priced(model === 'euro' ? 'EUR' : 'USD', 9_007_199_254_740_993n * promptTokens);
  };
  const file = harness.write(
    'usage.csv',
    usageOf(
      '2026-09-01,a,1,1,m',
      '2026-09-02,a,2,1,m',
      '2026-09-03,a,1,1,euro',
      '2026-09-04,a,1,1,new-1',
      '2026-09-05,a,1,1,new-2',
      '2026-09-06,a,1,1,new-2',
    ),
  );
  const { json } = await harness.import(file);
  expect(json).toMatchObject({
    created: 6,
    costs: [
      { currency_code: 'EUR', nanos: '9007199254740993' },
      { currency_code: 'USD', nanos: '27021597764222979' },
    ],
    unpriced: 3,
    unpriced_models: [
      { model: 'unknown new-2', charges: 2 },
      { model: 'unknown new-1', charges: 1 },
    ],
  });
  const { stdout } = await runInProcess('import', file, '--address', harness.service.address);
  expect(stdout).toMatch(/cost +9007199\.254740993 EUR/);
  expect(stdout).toMatch(/cost +27021597\.764222979 USD/);
  expect(stdout).toMatch(
    /without a price +3 charges, in no cost above: unknown new-2 \(2\), unknown new-1 \(1\)/,
  );
  expect(stdout).toContain('npx charge prices check');
});

test('rows whose charges were voided are told, do not count, and can be recorded again with a prefix', async () => {
  harness.service.faults.costOf = () => priced('USD', 5n);
  const file = harness.write('usage.csv', usage(3));
  await harness.import(file);
  for (const charge of stored()) charge.state = ChargeState.CHARGE_STATE_VOIDED;
  const again = await harness.import(file);
  expect(again.json).toMatchObject({
    created: 0,
    replayed: 3,
    replayed_voided: 3,
    prompt_tokens: '0',
    costs: [],
  });
  expect(String(again.json['hints'])).toContain(
    '3 rows are charges that were voided: they stay voided and do not count. ' +
      'To record them again, import the file with --request-id-prefix "again:".',
  );
  const anew = await harness.import(file, '--request-id-prefix', 'again:');
  expect(anew.json).toMatchObject({ created: 3, replayed_voided: 0, prompt_tokens: '6' });
  expect([...harness.service.charges.keys()].slice(3)).toEqual(
    [...harness.service.charges.keys()].slice(0, 3).map((id) => `again:${id}`),
  );
  expect((await harness.import(file, '--request-id-prefix', 'again:')).json).toMatchObject({
    created: 0,
    replayed: 3,
  });
});

test('if only some rows were voided, the hint does not tell to import all of them again', async () => {
  const file = harness.write('usage.csv', usage(3));
  await harness.import(file);
  const [first, second] = stored();
  if (first) first.state = ChargeState.CHARGE_STATE_VOIDED;
  if (second) second.state = ChargeState.CHARGE_STATE_AMENDED;
  const { json } = await harness.import(file);
  expect(json).toMatchObject({ replayed: 3, replayed_voided: 1, replayed_amended: 1, prompt_tokens: '3' });
  expect(String(json['hints'])).toContain(
    'import these rows, in a file of their own, with --request-id-prefix',
  );
  expect(String(json['hints'])).toContain('1 rows are charges that were amended');
  expect((await harness.import(file, '--dry-run')).json).toMatchObject({ replayed: 3, replayed_voided: 1 });
});

test('a prefix stands before ids of the file too, and an id that is too long becomes a hash', async () => {
  const long = 'x'.repeat(126);
  const file = harness.write('usage.csv', [
    'request_id,usage_time,prompt_tokens,completion_tokens,model',
    'r1,2026-09-01,1,1,m',
    `${long},2026-09-02,1,1,m`,
  ]);
  await harness.import(file, '--request-id-prefix', 'b2:');
  expect([...harness.service.charges.keys()]).toEqual([
    'b2:r1',
    expect.stringMatching(/^b2:import:[\w-]{22}$/),
  ]);
  const bad = await harness.import(file, '--request-id-prefix', 'ä');
  expect(bad).toMatchObject({ code: 2 });
});
