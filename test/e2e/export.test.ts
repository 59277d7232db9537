/** `charge export`, against the started service: every format, what interrupts it, and the way back. */

import { once } from 'node:events';
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { parse } from 'csv-parse/sync';
import fc from 'fast-check';
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet';
import { DEFAULT_PARSERS } from 'hyparquet/src/convert.js';

import { type Charge, ChargeState } from '../../generated/charge/v1/charge.ts';
import {
  type BatchCreateChargesResponse,
  type CreateChargeRequest,
  Outcome,
} from '../../generated/charge/v1/charge_service.ts';
import { CostStatus } from '../../generated/charge/v1/money.ts';
import { parseScaled } from '../../src/cli/money.ts';
import { microsOf, timestampOf } from '../../src/cli/time.ts';
import { content } from '../cli/export/support.ts';
import { call, createRequest } from '../support/server.ts';
import { ROOT } from '../support/tools.ts';
import { waitFor } from '../support/wait-for.ts';
import { runCharge } from './support/charge-program.ts';
import { MoneyClient } from './support/money-client.ts';
import { type MoneyService, startMoneyService } from './support/money-service.ts';

const ORDINARY = 6000;
const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });
const START_MICROS = 1_790_000_000_123_456n;

let service: MoneyService;
let client: MoneyClient;
/** What counts, and everything. */
let counting: Charge[];
let all: Charge[];

beforeAll(async () => {
  service = await startMoneyService();
  client = new MoneyClient(service.address);
  await runCharge(service.address, 'prices', 'import', 'examples/prices.csv', '--yes');
  await recordCharges();
  counting = await client.list();
  all = await client.list({}, { includeCorrected: true });
});
afterAll(async () => {
  client.charges.close();
  client.prices.close();
  await service.close();
});

/** Ordinary charges, some with every field and odd texts, and a void and an amendment. */
async function recordCharges(): Promise<void> {
  const ordinary = Array.from({ length: ORDINARY }, (_, i) =>
    createRequest(`ordinary-${i}`, {
      userProfile: `user-${i % 50}`,
      usageTime: timestampOf(START_MICROS + BigInt(i) * 777_777n),
      model: i % 3 === 0 ? 'gpt-4o' : i % 3 === 1 ? 'gpt-4o-mini' : 'nobody-prices-this',
      promptTokens: BigInt(1000 + i),
      labels: new Map([['team', i % 2 === 0 ? 'search' : 'ads']]),
    }),
  );
  const odd = fc.sample(content, { numRuns: 300, seed: 7 });
  const requests = [
    ...ordinary,
    ...odd.map((charge, i) => ({ requestId: `odd ${i}`, charge, importId: '' })),
  ];
  for (let from = 0; from < requests.length; from += 500) await record(requests.slice(from, from + 500));
  await runCharge(service.address, 'void', '--request-id', 'ordinary-10', '--reason', 'x', '--yes');
  const amend = { ...createRequest('', { promptTokens: 7n }).charge!, usageTime: timestampOf(START_MICROS) };
  await call((done) =>
    client.charges.amendCharge(
      {
        key: { $case: 'chargeRequestId', value: 'ordinary-20' },
        charge: amend,
        requestId: 'amendment',
        reason: 'x',
        allowClosedPeriod: false,
      },
      done,
    ),
  );
}

async function record(requests: CreateChargeRequest[]): Promise<void> {
  const { results } = await call<BatchCreateChargesResponse>((done) =>
    client.charges.batchCreateCharges({ requests }, done),
  );
  for (const { outcome, status } of results)
    if (outcome !== Outcome.OUTCOME_CREATED) throw new Error(`not created: ${status?.message}`);
}

const at = (name: string): string => join(service.directory, name);

/** Runs a shell command in which `charge` is the program. */
async function shell(command: string) {
  const program = `charge() { '${process.execPath}' '${join(ROOT, 'src/cli/charge.js')}' "$@"; }`;
  const child = spawn('bash', ['-c', `${program}\nset -o pipefail\n${command}`], {
    cwd: service.directory,
    env: { ...process.env, LISTEN: service.address, NODE_OPTIONS: '' },
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const [code] = (await once(child, 'close')) as [number];
  return { code, stdout, stderr };
}

const rowsOf = (csv: string) => parse<Record<string, string>>(csv, { columns: true });

/** Sums of decimal texts by currency, in nanos. */
function sums(rows: readonly (readonly [currency: string, cost: string])[]): Record<string, bigint> {
  const totals: Record<string, bigint> = {};
  for (const [currency, cost] of rows) {
    const scaled = parseScaled(cost, 9);
    if (typeof scaled === 'string' || scaled.isRounded) throw new Error(`${cost}: ${JSON.stringify(scaled)}`);
    totals[currency] = (totals[currency] ?? 0n) + scaled.value;
  }
  return totals;
}

function costsOf(charges: readonly Charge[]): Record<string, bigint> {
  const totals: Record<string, bigint> = {};
  for (const { cost } of charges)
    if (cost?.amount)
      totals[cost.amount.currencyCode] = (totals[cost.amount.currencyCode] ?? 0n) + cost.amount.nanos;
  return totals;
}

describe('formats', () => {
  test('CSV has every charge that counts, oldest usage first, with exact costs', async () => {
    const report = await runCharge(service.address, 'export', '--output', at('all.csv'));
    expect(report).toMatchObject({ status: 'done', format: 'csv', charges: counting.length });
    const rows = rowsOf(readFileSync(at('all.csv'), 'utf8'));
    const oldestFirst = counting.toReversed();
    expect(rows.map(({ id }) => id)).toEqual(oldestFirst.map(({ id }) => id));
    expect(rows.map(({ user_profile }) => user_profile)).toEqual(
      oldestFirst.map(({ userProfile }) => userProfile),
    );
    const priced = rows.filter(({ cost_status }) => cost_status === 'PRICED');
    expect(sums(priced.map((row) => [row['cost_currency'] ?? '', row['cost'] ?? '']))).toEqual(
      costsOf(counting),
    );
    expect(statSync(at('all.csv')).size).toBe(report['bytes']);
    expect(existsSync(at('all.csv.part')) || existsSync(at('all.csv.part.json'))).toBe(false);
  });

  test('NDJSON has a charge in proto3 JSON on each line, with its request id', async () => {
    const { code, stdout } = await shell('charge export charges --format ndjson --label team=search');
    expect(code).toBe(0);
    const lines = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    const expected = counting.filter(({ labels }) => labels.get('team') === 'search');
    expect(lines.map(({ id }) => id)).toEqual(expected.toReversed().map(({ id }) => id));
    expect(lines[0]).toMatchObject({
      requestId: 'ordinary-0',
      userProfile: 'user-0',
      promptTokens: '1000',
      usageTime: '2026-09-21T14:13:20.123456Z',
      labels: { team: 'search' },
      state: 'CHARGE_STATE_ACTIVE',
      cost: { status: 'COST_STATUS_PRICED', amount: { currencyCode: 'USD' } },
    });
  });

  test('Parquet has the same in typed columns', async () => {
    const file = at('all.parquet');
    await runCharge(service.address, 'export', '--output', file, '--include-corrected');
    const rows: Record<string, unknown>[] = await parquetReadObjects({
      file: await asyncBufferFromFile(file),
      // The reader's own parsers cut times to milliseconds, and leave out a byte order mark.
      parsers: {
        ...DEFAULT_PARSERS,
        timestampFromMicroseconds: (micros: bigint) => micros,
        stringFromBytes: (bytes?: Uint8Array) => bytes && utf8.decode(bytes),
      },
    });
    const oldestFirst = all.toReversed();
    expect(rows.map(({ id }) => id)).toEqual(oldestFirst.map(({ id }) => id));
    const read = rows.map((row) => ({
      user: row['user_profile'],
      prompt: row['prompt_tokens'],
      parts: row['reasoning_tokens'] ?? undefined,
      time: row['usage_time'],
      labels: row['labels'] ?? '',
      state: row['state'],
      isPriced: row['cost'] !== null,
    }));
    expect(read).toEqual(
      oldestFirst.map((charge) => ({
        user: charge.userProfile,
        prompt: charge.promptTokens,
        parts: charge.tokenDetails?.reasoningTokens,
        time: microsOf(charge.usageTime!),
        labels: charge.labels.size === 0 ? '' : JSON.stringify(Object.fromEntries(charge.labels)),
        state: stateName(charge.state),
        isPriced: charge.cost?.status === CostStatus.COST_STATUS_PRICED,
      })),
    );
    // The reader makes floats of decimals. These are small enough to be exact after rounding.
    const first = rows.find(({ request_id }) => request_id === 'ordinary-0');
    const cost = oldestFirst.find(({ id }) => id === first?.['id'])?.cost?.amount?.nanos;
    expect(BigInt(Math.round(Number(first?.['cost']) * 1e9))).toBe(cost);
  });

  test('FOCUS has a row for each line of a cost, which add up to the costs of the charges', async () => {
    await runCharge(service.address, 'export', '--output', at('all.focus.csv'));
    const rows = rowsOf(readFileSync(at('all.focus.csv'), 'utf8'));
    const priced = rows.filter(({ x_CostStatus }) => x_CostStatus === 'PRICED');
    for (const column of ['BilledCost', 'EffectiveCost', 'ListCost', 'ContractedCost'])
      expect(sums(priced.map((row) => [row['BillingCurrency'] ?? '', row[column] ?? '']))).toEqual(
        costsOf(counting),
      );
    expect(new Set(rows.map(({ x_ChargeId }) => x_ChargeId)).size).toBe(counting.length);
    const unpriced = rows.filter(({ x_CostStatus }) => x_CostStatus === 'UNPRICED');
    expect(unpriced).toHaveLength(
      counting.filter(({ cost }) => cost?.status === CostStatus.COST_STATUS_UNPRICED).length,
    );
    expect(new Set(unpriced.map(({ BilledCost }) => BilledCost))).toEqual(new Set(['']));
    expect(rows.find(({ x_RequestId }) => x_RequestId === 'ordinary-0')).toMatchObject({
      BilledCost: '0.0025',
      BillingCurrency: 'USD',
      BillingPeriodStart: '2026-09-01T00:00:00Z',
      BillingPeriodEnd: '2026-10-01T00:00:00Z',
      ChargePeriodStart: '2026-09-21T14:13:20Z',
      ChargePeriodEnd: '2026-09-21T14:13:21Z',
      ConsumedQuantity: '1000',
      ConsumedUnit: 'Tokens',
      ListUnitPrice: '2.5',
      PricingQuantity: '0.001',
      PricingUnit: '1000000 Tokens',
      ServiceProviderName: 'OpenAI',
      SkuMeter: 'Input Tokens',
      x_TokenDirection: 'Input',
      x_TokenCacheAction: 'Uncached',
      x_ModelId: 'gpt-4o',
    });
  });

  test('filters leave out what does not match, and nothing is a file with a header', async () => {
    const flags = '--user user-7 --model gpt-4o --provider openai --type completion --from 2026-09-01';
    const { stdout } = await shell(`charge export ${flags} --to 2027-01-01`);
    const expected = counting.filter(
      ({ userProfile, model }) => userProfile === 'user-7' && model === 'gpt-4o',
    );
    expect(rowsOf(stdout).map(({ id }) => id)).toEqual(expected.toReversed().map(({ id }) => id));
    const nothing = await shell('charge export --user nobody');
    expect(nothing).toMatchObject({ code: 0 });
    expect(nothing.stdout.split('\n')).toEqual([expect.stringMatching(/^request_id,id,user_profile/), '']);
    await runCharge(service.address, 'export', '--user', 'nobody', '--output', at('nothing.parquet'));
    const file = await asyncBufferFromFile(at('nothing.parquet'));
    expect(await parquetReadObjects({ file })).toEqual([]);
  });
});

function stateName(state: ChargeState): string {
  return Object.keys(ChargeState)
    .find((name) => ChargeState[name as keyof typeof ChargeState] === state)!
    .replace('CHARGE_STATE_', '');
}

const SET_BY_SERVER = ['id', 'createTime', 'updateTime', 'cost', 'importId', 'amends'];

/** What callers have said about the charges of an NDJSON export that count, with their request ids. */
function contentsOf(file: string): string[] {
  return readFileSync(file, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => Object.entries(JSON.parse(line) as object))
    .filter((entries) => entries.some(([name, value]) => name === 'state' && value === 'CHARGE_STATE_ACTIVE'))
    .map((entries) => entries.filter(([name]) => !SET_BY_SERVER.includes(name)))
    .map((entries) => JSON.stringify(entries.sort(([a], [b]) => (a < b ? -1 : 1))));
}

describe('the way back', () => {
  test('the same service replays everything, an empty one gets the same charges', async () => {
    const target = await startMoneyService();
    try {
      await runCharge(service.address, 'export', '--output', at('back.csv'), '--include-corrected');
      await runCharge(service.address, 'export', '--output', at('back.ndjson'), '--include-corrected');
      const counts = { rejected: 0, left_out: 2 };
      const back = async (address: string, file: string) => runCharge(address, 'import', file, '--yes');
      const replayed = { ...counts, created: 0, replayed: counting.length };
      expect(await back(service.address, at('back.csv'))).toMatchObject(replayed);
      expect(await back(service.address, at('back.ndjson'))).toMatchObject(replayed);
      const created = { ...counts, created: counting.length, replayed: 0 };
      expect(await back(target.address, at('back.csv'))).toMatchObject(created);
      // The same content under the same request ids, or it would be rejected.
      expect(await back(target.address, at('back.ndjson'))).toMatchObject(replayed);
      await runCharge(target.address, 'export', '--output', at('again.ndjson'));
      const [before, after] = [contentsOf(at('back.ndjson')), contentsOf(at('again.ndjson'))];
      expect(after.filter((one) => !before.includes(one)).slice(0, 3)).toEqual([]);
      expect(after).toHaveLength(before.length);
    } finally {
      await target.close();
    }
  });

  test('takes no flags that would change it, and says what is wrong with an edited row', async () => {
    await runCharge(service.address, 'export', '--output', at('edited.csv'), '--user', 'user-1');
    const flags = await shell('charge import edited.csv --set user_profile=x');
    expect(flags).toMatchObject({ code: 2 });
    expect(flags.stderr).toContain('is an export of the Charge Service, which is read as it is');
    const [header = '', row = ''] = readFileSync(at('edited.csv'), 'utf8').split('\n');
    writeFileSync(at('edited.csv'), `${header}\n${row.replace('OPENAI', 'NOBODY')}\n`);
    const edited = await shell('charge import edited.csv --yes');
    expect(edited).toMatchObject({ code: 1 });
    expect(edited.stderr).toContain('row 2 rejected: provider "NOBODY" is no provider of the contract');
  });
});

describe('interruptions', () => {
  test('after kill -9 the same command goes on, without a lost or a doubled row', async () => {
    for (const name of ['killed.csv', 'killed.ndjson', 'killed.focus.csv']) {
      await runCharge(service.address, 'export', '--output', at(`whole-${name}`));
      const args = ['src/cli/charge.js', 'export', '--output', at(name), '--address', service.address];
      const child = spawn(process.execPath, args, { cwd: ROOT, stdio: 'ignore' });
      const gone = once(child, 'close');
      await waitFor('the first place', () => existsSync(at(`${name}.part.json`)));
      child.kill('SIGKILL');
      await gone;
      expect(existsSync(at(name))).toBe(false);
      // As if it had written more before it was killed.
      writeFileSync(at(`${name}.part`), 'half a row', { flag: 'a' });
      const report = await runCharge(service.address, 'export', '--output', at(name));
      expect(report).toMatchObject({ status: 'done', charges: counting.length });
      expect(report['resumed_after']).toBeGreaterThan(0);
      expect(readFileSync(at(name)).equals(readFileSync(at(`whole-${name}`)))).toBe(true);
    }
  });

  test('an export with other flags does not go on with it', async () => {
    writeFileSync(at('other.csv.part'), 'x');
    const kept = { identity: 'another', resumeToken: 't', charges: 1, bytes: 1 };
    writeFileSync(at('other.csv.part.json'), JSON.stringify(kept));
    const refused = await shell('charge export --output other.csv');
    expect(refused).toMatchObject({ code: 2 });
    expect(refused.stderr).toContain('other.csv.part belongs to an export with other flags');
    expect(await shell('charge export --output other.csv --force')).toMatchObject({ code: 0 });
  });

  test('Ctrl-C keeps the place', async () => {
    const args = ['src/cli/charge.js', 'export', '--output', at('stopped.csv'), '--address', service.address];
    const child = spawn(process.execPath, args, { cwd: ROOT, stdio: ['ignore', 'ignore', 'pipe'] });
    let stderr = '';
    child.stderr.on('data', (text: Buffer) => (stderr += text.toString()));
    const gone = once(child, 'close');
    await waitFor('the first place', () => existsSync(at('stopped.csv.part.json')));
    child.kill('SIGINT');
    expect((await gone)[0]).toBe(130);
    expect(stderr).toContain('The same command goes on with');
    expect(await shell('charge export -o stopped.csv')).toMatchObject({ code: 0 });
    expect(readFileSync(at('stopped.csv')).equals(readFileSync(at('all.csv')))).toBe(true);
  });

  test('whoever has read enough ends it quietly', async () => {
    const head = await shell('charge export | head -1');
    expect(head).toMatchObject({ code: 0 });
    expect(head.stdout.split('\n')).toHaveLength(2);
    expect(head.stderr).not.toMatch(/cannot|EPIPE|incomplete|error/i);
  });

  test('a full disk and files that cannot be written are plain errors', async () => {
    const full = await shell('charge export > /dev/full');
    expect(full).toMatchObject({ code: 3 });
    expect(full.stderr).toMatch(/cannot write standard output: ENOSPC: no space left on device/);
    const missing = await shell('charge export --output no/such/folder.csv');
    expect(missing).toMatchObject({ code: 2 });
    expect(missing.stderr).toContain('no such file or directory');
    const there = await shell('touch there.csv && charge export --output there.csv');
    expect(there).toMatchObject({ code: 2 });
    expect(there.stderr).toContain('there.csv is there already; --force replaces it');
    expect(await shell('charge export --output there.csv --force')).toMatchObject({ code: 0 });
    const wrong = await shell('charge export -o x.csv.gz --format xml --provider nobody --label x --from y');
    expect(wrong).toMatchObject({ code: 2 });
    for (const fault of ['not be compressed', '--format: xml', '"nobody" is none of', 'KEY=VALUE', '--from:'])
      expect(wrong.stderr).toContain(fault);
  });
});
