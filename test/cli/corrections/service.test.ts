/** Importing, voiding, importing again, amending and closing, against the real service. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Charge } from '../../../generated/charge/v1/charge.ts';
import { ListChargesOrder, type ListChargesResponse } from '../../../generated/charge/v1/charge_service.ts';
import { call, openTestServer, type TestServer } from '../../support/server.ts';
import { openTestStore, type TestStore } from '../../support/store.ts';
import { usage } from '../support/harness.ts';
import { runInProcess } from '../support/in-process.ts';

let store: TestStore;
let server: TestServer;
let folder: string;

beforeAll(async () => {
  store = await openTestStore();
  server = await openTestServer(store.url);
  folder = mkdtempSync(join(tmpdir(), 'corrections-'));
});
afterAll(async () => {
  await server.close();
  await store.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Runs the program with --json and without questions. */
async function run(...args: string[]) {
  const yes = args[0] === 'history' ? [] : ['--yes'];
  const { code, stdout, stderr } = await runInProcess(...args, '--json', ...yes, '--address', server.address);
  return { code, stderr, ...(JSON.parse(stdout || '{}') as Record<string, unknown>) } as Record<
    string,
    unknown
  >;
}

function write(name: string, lines: readonly string[]): string {
  const path = join(folder, name);
  writeFileSync(path, lines.join('\n'));
  return path;
}

async function activeCharges(userProfile: string): Promise<readonly Charge[]> {
  const filter = {
    userProfile,
    sessionKey: '',
    provider: 0,
    chargeType: 0,
    model: '',
    reference: '',
    labels: new Map<string, string>(),
    startTime: undefined,
    endTime: undefined,
    importId: '',
    userProfileLabels: new Map<string, string>(),
  } as const;
  const order = ListChargesOrder.LIST_CHARGES_ORDER_OLDEST_FIRST;
  const request = { pageSize: 1000, pageToken: '', filter, order, includeCorrected: false };
  return (await call<ListChargesResponse>((done) => server.client.listCharges(request, done))).charges;
}

test('an import is taken back, imported again with a prefix, and corrected charge by charge', async () => {
  const file = write('usage.csv', usage(150));
  const first = await run('import', file);
  expect(first).toMatchObject({ code: 0, created: 150, unpriced: 150, costs: [] });
  const importId = String(first['import_id']);

  const voided = await run('void', '--import', importId, '--reason', 'wrong model column');
  expect(voided).toMatchObject({ code: 0, voided: 150, refused: 0, unanswered: 0 });
  expect(await run('void', '--import', importId, '--reason', 'once more')).toMatchObject({
    code: 0,
    voided: 0,
    already_voided: 150,
  });
  expect(await activeCharges('user-1')).toEqual([]);

  expect(await run('import', file)).toMatchObject({
    code: 0,
    created: 0,
    replayed: 150,
    replayed_voided: 150,
    import_id: null,
  });
  expect(await run('import', file, '--request-id-prefix', 'again:')).toMatchObject({ code: 0, created: 150 });
  const [charge] = await activeCharges('user-1');
  const id = charge?.id ?? '';

  const amended = await run(
    'amend',
    id,
    '--set',
    'model=gpt-5.2',
    '--set',
    'reported_cost=0.25',
    '--reason',
    'wrong model',
  );
  expect(amended).toMatchObject({ code: 0, status: 'amended', replayed: false });
  const replacement = String(amended['replacement_id']);
  const now = (await activeCharges('user-1')).find((active) => active.id === replacement);
  expect(now).toMatchObject({
    id: replacement,
    amends: id,
    model: 'gpt-5.2',
    reportedCost: { nanos: 250_000_000n },
  });
  expect(await run('amend', id, '--set', 'model=x', '--reason', 'again')).toMatchObject({ code: 1 });
  const history = await run('history', id);
  expect(history).toMatchObject({
    charge: { state: 'CHARGE_STATE_AMENDED', replacedBy: replacement },
    correction: { reason: 'wrong model', replacementId: replacement },
    costs: [{}],
  });
  expect(await run('void', id, '--reason', 'x')).toMatchObject({ code: 1, voided: 0, refused: 1 });
  // The replacement is part of the import.
  const again = String(now?.importId);
  expect(await run('void', '--import', again, '--reason', 'x')).toMatchObject({ code: 0, voided: 150 });
  expect(await activeCharges('user-1')).toEqual([]);
});

test('charges of a closed period are refused, unless it is allowed', async () => {
  const file = write('old.csv', [
    'usage_time,user_profile,prompt_tokens,completion_tokens,model',
    '2020-01-01,old,1,1,m',
  ]);
  const importId = String((await run('import', file))['import_id']);
  expect(await run('close-period', '--before', '2021-01-01')).toMatchObject({
    code: 0,
    end_time: '2021-01-01T00:00:00Z',
  });
  const refused = await run('void', '--import', importId, '--reason', 'x');
  expect(refused).toMatchObject({ code: 1, voided: 0, refusals: [{ reason: 'PERIOD_CLOSED' }] });
  expect(await run('void', '--import', importId, '--reason', 'x', '--allow-closed-period')).toMatchObject({
    code: 0,
    voided: 1,
  });
});
