/** The commands about prices against the service as people start it, on real servers. */

import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Provider } from '../../../generated/charge/v1/charge.ts';
import type { CreateChargeResponse } from '../../../generated/charge/v1/charge_service.ts';
import { CostStatus, UnpricedReason } from '../../../generated/charge/v1/money.ts';
import { parseTimestamp } from '../../../src/cli/import/timestamp.ts';
import { createMigratedDatabase, query, type TestDatabase } from '../../support/database.ts';
import { call, createRequest } from '../../support/server.ts';
import { makeDataDir, Service } from '../../support/service.ts';
import { ROOT, skipNote } from '../../support/tools.ts';
import { waitFor } from '../../support/wait-for.ts';
import { CATALOGUE, hasData, readCases } from './support/catalogue.ts';

let database: TestDatabase;
let service: Service;
let folder: Awaited<ReturnType<typeof makeDataDir>>;

beforeAll(async () => {
  [database, folder] = await Promise.all([createMigratedDatabase(), makeDataDir()]);
  // A NATS that is not there: prices need none.
  service = new Service({
    DATA_DIR: folder.path,
    DATABASE_URL: database.url,
    NATS_URL: 'nats://127.0.0.1:1',
  });
  await service.ready();
});

afterAll(async () => {
  await service.cleanUp();
  await Promise.all([database.drop(), folder.remove()]);
});

interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `charge prices …` as a program of its own. */
async function run(...args: string[]): Promise<Ran> {
  const { grpc } = await service.ready();
  const all = [join(ROOT, 'src/cli/charge.js'), 'prices', ...args, '--address', grpc];
  return promisify(execFile)(process.execPath, all, { cwd: folder.path, maxBuffer: 2 ** 26 }).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    (error: Ran) => error,
  );
}

async function runJson(...args: string[]): Promise<Record<string, unknown>> {
  return JSON.parse((await run(...args, '--json')).stdout) as Record<string, unknown>;
}

function write(name: string, ...lines: string[]): string {
  const path = join(folder.path, name);
  writeFileSync(path, lines.join('\n'));
  return path;
}

/** Records a charge and returns its cost. */
async function costOf(requestId: string, fields: Parameters<typeof createRequest>[1]) {
  const client = await service.client();
  const { charge } = await call<CreateChargeResponse>((done) =>
    client.createCharge(createRequest(requestId, fields), done),
  );
  return charge?.cost;
}

skipNote(
  'the real catalogue',
  hasData ? { path: CATALOGUE } : { path: undefined, reason: 'it is not there' },
);
(hasData ? test : test.skip)(
  'case P10: the catalogue, imported twice',
  async () => {
    const { second_run, ...first } = { ...readCases().find(({ id }) => id === 'P10')?.expected };
    const { created, ...planned } = first as Record<string, unknown>;
    expect(await runJson('import', CATALOGUE, '--dry-run')).toMatchObject({
      ...planned,
      created: 0,
      new: created,
    });
    expect(await runJson('import', CATALOGUE)).toMatchObject({ status: 'imported', ...first });
    expect(await runJson('import', CATALOGUE)).toMatchObject(second_run as object);
    expect(await runJson('import', CATALOGUE, '--dry-run')).toMatchObject({
      new: 0,
      changed: 0,
      not_in_file: [],
    });
    const [{ count } = {}] = await query(database.url, 'SELECT count(*) FROM price');
    expect(count).toBe('1517');
    // C01: 1000 * 2.5 + 500 * 10 for a million.
    expect(await costOf('c01', { promptTokens: 1000n, completionTokens: 500n })).toMatchObject({
      status: CostStatus.COST_STATUS_PRICED,
      amount: { currencyCode: 'USD', nanos: 7_500_000n },
    });
  },
  120_000,
);

describe('a file of our own', () => {
  const HEADER =
    'provider,other_provider,model,currency_code,effective_time,basis,alias_model,above_prompt_tokens,input,output';
  const PRICES = [
    HEADER,
    'other,acme,base,EUR,,,,,0.000000001,2',
    'other,acme,base,EUR,,,,1000,3,4',
    'other,acme,base,EUR,2030-01-01,,,,5,6',
    'other,acme,latest,,,alias,base,,,',
    'other,acme,,,,reported,,,,',
    'other,acme,old,,,withdrawn,,,,',
  ];

  test('prices what is used, keeps its history, and comes back from list --json as the same prices', async () => {
    expect(await runJson('import', write('acme.csv', ...PRICES))).toMatchObject({
      status: 'imported',
      created: 5,
    });
    const used = { provider: Provider.PROVIDER_OTHER, otherProvider: 'acme' };
    const costs = await Promise.all([
      costOf('a', { ...used, model: 'base', promptTokens: 1000n, completionTokens: 10n }),
      costOf('b', { ...used, model: 'latest', promptTokens: 1001n, completionTokens: 10n }),
      costOf('c', { ...used, model: 'any', reportedCost: { currencyCode: 'USD', nanos: 7n } }),
      costOf('d', { ...used, model: 'old' }),
    ]);
    expect(costs.map((cost) => cost?.amount?.nanos ?? cost?.unpricedReason)).toEqual([
      20_000n,
      3_043_000n,
      7n,
      UnpricedReason.UNPRICED_REASON_WITHDRAWN,
    ]);
    const listed = await run('list', '--provider', 'acme', '--all', '--json');
    const again = await runJson('import', write('listed.json', listed.stdout));
    expect(again).toMatchObject({ format: 'json', entries: 5, created: 0, unchanged: 5 });
  });

  test('a changed price needs --yes; then later usage has the new price, and earlier charges keep theirs', async () => {
    const changed = PRICES.with(1, 'other,acme,base,EUR,,,,,0.000000001,7');
    const refused = await run('import', write('acme.csv', ...changed));
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining('output 2; above 1000')]);
    expect(await runJson('import', write('acme.csv', ...changed), '--yes')).toMatchObject({
      created: 1,
      unchanged: 4,
    });
    const used = { provider: Provider.PROVIDER_OTHER, otherProvider: 'acme', model: 'base' };
    expect((await costOf('e', { ...used, promptTokens: 0n, completionTokens: 10n }))?.amount?.nanos).toBe(
      70_000n,
    );
    expect((await costOf('a', { ...used, promptTokens: 1000n, completionTokens: 10n }))?.amount?.nanos).toBe(
      20_000n,
    );
  });

  test('an alias of an alias is refused with the line of its price, and nothing of its batch is added', async () => {
    const rows = ['other,acme,chain,,,alias,latest,,,', 'other,acme,fine,EUR,,,,,1,2'];
    const { code, stdout } = await run('import', write('chain.csv', HEADER, ...rows));
    expect(code).toBe(1);
    expect(stdout).toMatch(/line 2: FAILED_PRECONDITION \(ALIAS_CHAIN\)/);
    expect((await run('list', '--provider', 'acme', '--model', 'fine')).stdout).toContain(
      'There are no such prices',
    );
  });
});

test('usage without a price: check names it, and the commands that it prints mend it', async () => {
  const used = {
    provider: Provider.PROVIDER_OTHER,
    otherProvider: 'zeta',
    model: 'zeta-1',
    promptTokens: 1_000_000n,
  };
  const at = (text: string) => ({ usageTime: parseTimestamp(text)! });
  await costOf('z1', { ...used, ...at('2026-01-01T00:00:00Z'), completionTokens: 0n });
  await costOf('z2', { ...used, ...at('2026-02-01T00:00:00.000001Z'), completionTokens: 1_000_000n });
  await run(
    'import',
    write('z.csv', 'provider,other_provider,model,currency_code,input', 'other,zeta,zeta-2,USD,9'),
  );
  await costOf('z3', {
    ...used,
    model: 'zeta-2',
    ...at('2026-01-15T00:00:00Z'),
    completionTokens: 1_000_000n,
  });
  const window = ['--from', '2026-01-01', '--to', '2026-03-01'];
  const checked = await runJson('check', ...window);
  expect(checked).toMatchObject({
    status: 'unpriced',
    unpriced_charges: 3,
    usages: [
      {
        model: 'zeta-1',
        charges: 2,
        reason: 'no_price',
        last_usage_time: '2026-02-01T00:00:00.000001Z',
        nearest_by_name: null,
      },
      { model: 'zeta-2', charges: 1, reason: 'missing_rate', kinds: ['output'] },
    ],
  });
  const [template = '', load = '', dryRun = '', reprice = ''] = checked['next'] as string[];
  const shell = (command: string) => {
    const program = `${process.execPath} ${join(ROOT, 'src/cli/charge.js')}`;
    return promisify(execFile)('sh', ['-c', command.replace(/^npx charge/, program)], { cwd: folder.path });
  };
  await expect(shell(template)).rejects.toMatchObject({ code: 1 });
  const path = join(folder.path, 'unpriced.csv');
  const rows = readFileSync(path, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => line.split(','));
  const column = (name: string): number => rows[0]?.indexOf(name) ?? -1;
  for (const row of rows.slice(1)) {
    row[column('currency_code')] = 'USD';
    row[column('input')] ||= '1';
    row[column('output')] = '2';
  }
  writeFileSync(path, rows.join('\n'));
  await shell(load);
  const { stdout } = await shell(dryRun);
  // z1: 1, z2: 1 + 2, z3: 9 + 2.
  expect(stdout).toContain('USD 0.00 → 15.00 (+15.00)');
  expect((await shell(reprice)).stdout).toMatch(/^Priced again:[^]*changed +3\n[^]*USD 0\.00 → 15\.00 /);
  expect(await runJson('check', ...window)).toMatchObject({ status: 'priced', unpriced_charges: 0 });
  const again = await runJson('reprice', ...window, '--include-priced', '--reason', 'again', '--yes');
  expect(again).toMatchObject({
    changed_charges: 0,
    amounts: [{ currency_code: 'USD', before_nanos: '15000000000', after_nanos: '15000000000' }],
  });
});

test('where calls need a credential, what npm start says makes the first key and uses it', async () => {
  const own = await makeDataDir();
  const started = new Service({ DATA_DIR: own.path, AUTHENTICATION: 'required' });
  try {
    await started.ready();
    const commands = await waitFor(
      'the commands to type next',
      () => started.lines.find((line) => line['commands'])?.['commands'] as string[] | undefined,
    );
    expect(commands.filter((command) => command.startsWith('grpcurl'))).toEqual([
      expect.stringContaining(' -H "authorization: Bearer $CHARGE_API_KEY" '),
      expect.stringContaining(' -H "authorization: Bearer $CHARGE_API_KEY" '),
    ]);
    const script = commands.filter((command) => /^(npx charge|export) /.test(command)).join('\n');
    const env = { ...process.env, npm_config_cache: join(own.path, 'npm'), npm_config_offline: 'true' };
    const keyFile = join(own.path, 'operator.key');
    const { stdout } = await promisify(execFile)(
      'sh',
      ['-c', `set -e\n${script.replaceAll('operator.key', keyFile)}`],
      {
        cwd: ROOT,
        env,
      },
    );
    expect(stdout).toMatch(/^Imported examples\/prices.csv/);
  } finally {
    await started.cleanUp();
    await own.remove();
  }
}, 120_000);

test('what npm start says about prices works as it stands there', async () => {
  const own = await makeDataDir();
  const started = new Service({ DATA_DIR: own.path });
  try {
    await started.ready();
    const hint = await waitFor('the commands to type next', () =>
      started.lines
        .flatMap((line) => (line['commands'] ?? []) as string[])
        .find((command) => command.includes('charge prices import')),
    );
    const env = { ...process.env, npm_config_cache: join(own.path, 'npm'), npm_config_offline: 'true' };
    const { stdout } = await promisify(execFile)('sh', ['-c', hint], { cwd: ROOT, env });
    expect(stdout).toMatch(/^Imported examples\/prices.csv/);
    const client = await started.client();
    const { charge } = await call<CreateChargeResponse>((done) =>
      client.createCharge(createRequest('hello-1'), done),
    );
    expect(charge?.cost?.amount).toEqual({ currencyCode: 'USD', nanos: 374n * 2_500n + 44n * 10_000n });
  } finally {
    await started.cleanUp();
    await own.remove();
  }
});
