/** `charge usage` and `charge top` against the service, with charges that are unpriced, voided and amended. */

import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { parse } from 'csv-parse/sync';

import { ROOT } from '../support/tools.ts';
import { runCharge } from './support/charge-program.ts';
import { type MoneyService, startMoneyService } from './support/money-service.ts';

let service: MoneyService;

const PRICES = `provider,model,currency_code,input,output
openai,gpt-5.2,USD,2,10
mistral_ai,mistral-large,EUR,1,4
`;

/** Two days of Berlin, whose midnight is 23:00 of UTC. */
const USAGE = `request_id,usage_time,user_profile,provider,model,prompt_tokens,completion_tokens
r1,2025-11-02T22:59:59Z,ann,openai,gpt-5.2,1000000,100000
r2,2025-11-02T23:00:00Z,ann,openai,gpt-5.2,500000,0
r3,2025-11-03T10:00:00Z,日本,openai,gpt-5.2,7,3
r4,2025-11-03T11:00:00Z,bob,mistral_ai,mistral-large,2000000,0
r5,2025-11-03T12:00:00Z,bob,openai,no-such-model,100,1
r6,2025-11-03T13:00:00Z,bob,openai,gpt-5.2,9000000,9000000
r7,2025-11-03T14:00:00Z,bob,openai,gpt-5.2,9000000,9000000
r8,2025-12-24T14:00:00Z,bob,openai,gpt-5.2,1000000,0
`;

beforeAll(async () => {
  service = await startMoneyService();
  const { address, directory } = service;
  await writeFile(join(directory, 'prices.csv'), PRICES);
  await writeFile(join(directory, 'usage.csv'), USAGE);
  await runCharge(address, 'prices', 'import', join(directory, 'prices.csv'), '--yes');
  await runCharge(address, 'import', join(directory, 'usage.csv'), '--yes');
  await runCharge(address, 'void', '--request-id', 'r6', '--reason', 'twice', '--yes');
  const history = await runCharge(address, 'history', '--request-id', 'r7');
  const { id } = history['charge'] as { id: string };
  await runCharge(
    address,
    ...['amend', id, '--set', 'prompt_tokens=1000000', '--set', 'completion_tokens=0'],
    ...['--reason', 'wrong counts', '--yes'],
  );
});
afterAll(() => service.close());

const NOVEMBER = ['--from', '2025-11-01', '--to', '2025-12-01', '--zone', 'Europe/Berlin'];

/** What the command prints. */
async function run(...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [join(ROOT, 'src/cli/charge.js'), ...args, '--address', service.address],
    { cwd: service.directory },
  );
  return stdout;
}

test('the table has the charges that count, and says as of which sequence', async () => {
  expect((await run('usage', ...NOVEMBER)).split('\n')).toEqual([
    'Usage by model from 2025-11-01 00:00 to 2025-12-01 00:00, Europe/Berlin',
    'The highest cost in USD first',
    '',
    'MODEL          COST USD  COST EUR  CHARGES  UNPRICED     PROMPT  COMPLETION     TOKENS',
    'gpt-5.2            6.00         -        4         0  2,500,007     100,003  2,600,010  ████████████',
    'mistral-large         -      2.00        1         0  2,000,000           0  2,000,000',
    'no-such-model         -         -        1         1        100           1        101',
    'Total              6.00      2.00        6         1  4,500,107     100,004  4,600,111',
    '',
    '1 of 6 charges have no cost and are in no sum of costs. To see why:',
    `  npx charge prices check --from 2025-10-31T23:00:00Z --to 2025-11-30T23:00:00Z --address ${service.address}`,
    'as of sequence 10',
    '',
  ]);
});

test('charge top, and days of a zone as a trend', async () => {
  const top = await run('top', 'users', '--by', 'tokens', '--limit', '1', ...NOVEMBER);
  expect(top).toMatch(/^bob +65\.2 % +2\.00 +2\.00 +3 +1 [^]*^\(all others\) +34\.8 % +4\.00 +- +3 +0 /m);
  const trend = await run('usage', '--by', 'user', '--window', 'day', ...NOVEMBER);
  expect(trend).toContain(`ann    ·█▃${'·'.repeat(27)}`);
  expect(trend).toContain(`日本   ··█${'·'.repeat(27)}`);
  expect(trend).toContain('TREND: cost in USD per day');
});

test('--json is exact, and the same again as of its sequence', async () => {
  const args = ['usage', '--by', 'user,provider', '--window', 'day', ...NOVEMBER];
  const first = await runCharge(service.address, ...args);
  expect(first).toMatchObject({
    as_of_sequence: '10',
    status: 'done',
    total: { charges: 6, unpriced_charges: 1 },
  });
  expect(first['rows']).toMatchObject([
    {
      window_start: '2025-11-02T00:00:00+01:00',
      group: { user_profile: 'ann', provider: 'openai' },
      costs: [{ currency_code: 'USD', amount: '3', nanos: '3000000000' }],
    },
    { window_start: '2025-11-03T00:00:00+01:00', costs: [{ amount: '1' }] },
    { group: { user_profile: 'bob', provider: 'openai' }, charges: 2, unpriced_charges: 1 },
    {
      group: { user_profile: 'bob', provider: 'mistral_ai' },
      costs: [{ currency_code: 'EUR', amount: '2' }],
    },
    { group: { user_profile: '日本' }, costs: [{ amount: '0.000044', nanos: '44000' }] },
  ]);
  await runCharge(service.address, 'void', '--request-id', 'r1', '--reason', 'later', '--yes');
  expect(await runCharge(service.address, ...args, '--as-of', '10')).toEqual(first);
  expect(await runCharge(service.address, ...args)).toMatchObject({
    as_of_sequence: '11',
    total: { charges: 5 },
  });
});

test('--csv has one line for each row', async () => {
  const text = await run('usage', '--window', 'day', '--fill', '--as-of', '10', ...NOVEMBER, '--csv');
  const rows: Record<string, string>[] = parse(text, { columns: true });
  expect(rows).toHaveLength(30);
  expect(rows[1]).toMatchObject({
    window_start: '2025-11-02T00:00:00+01:00',
    charges: '1',
    cost_usd: '3',
    cost_eur: '',
  });
  expect(rows[2]).toMatchObject({ charges: '5', unpriced_charges: '1', cost_usd: '3.000044', cost_eur: '2' });
  expect(rows[3]).toMatchObject({ charges: '0', cost_usd: '' });
});

test('nothing found names the newest charge, and the service says what it does not know', async () => {
  expect(await run('usage', '--from', '2024-01-01', '--to', '2024-02-01', '--zone', 'UTC')).toContain(
    'The newest charge of all is of 2025-12-24 14:00',
  );
  await expect(run('usage', '--as-of', '99', ...NOVEMBER)).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringContaining('SEQUENCE_OUT_OF_RANGE'),
  });
});
