/** `charge export usage`: the sums of `charge usage` in each format, and no file that is not complete. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { status as codes } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { parse } from 'csv-parse/sync';
import { asyncBufferFromFile, parquetReadObjects, parquetSchema, parquetMetadataAsync } from 'hyparquet';

import { UsageKind } from '../../../generated/charge/v1/money.ts';
import { FOCUS_COLUMNS } from '../../../src/cli/export/focus/focus-columns.ts';
import { waitFor } from '../../support/wait-for.ts';
import { ROOT } from '../support/harness.ts';
import { FakeUsage, SEQUENCE } from '../usage/support/fake-usage.ts';

let service: FakeUsage;
let directory: string;
/** The path of a file in the directory of the test. */
const at = (name: string): string => join(directory, name);

beforeEach(async () => {
  service = await FakeUsage.open();
  directory = await mkdtemp(join(tmpdir(), 'charge-export-'));
});
afterEach(async () => {
  service.close();
  await rm(directory, { recursive: true });
});

const NOVEMBER = ['--from', '2026-11-01', '--to', '2026-12-01', '--zone', 'Europe/Berlin'];

/** Two days of Berlin, two currencies, and charges without a cost. */
function putSome(): void {
  service.put(
    { time: '2026-11-02T22:59:59Z', cost: ['USD', 9_007_199_254_740_993n], prompt: 9_007_199_254_740_993n },
    { time: '2026-11-02T23:00:00Z', cost: ['EUR', 1_500_000_001n], labels: { team: 'search' } },
    { time: '2026-11-02T23:30:00Z', cost: ['USD', 1n], reported: ['CHF', 10n] },
    { time: '2026-11-02T23:30:00Z', user: '=1+1', cost: undefined },
    { time: '2026-11-02T23:30:00Z', quantities: { [UsageKind.USAGE_KIND_SEARCH_QUERY]: 3n } },
  );
}

/** Exports to a file, and returns its summary. */
async function exported(name: string, ...args: string[]): Promise<Record<string, unknown>> {
  const flags = [...NOVEMBER, '--output', at(name), '--json'];
  const { code, stdout, stderr } = await service.run('export', 'usage', ...args, ...flags);
  if (code !== 0) throw new Error(stderr);
  return JSON.parse(stdout) as Record<string, unknown>;
}

const csvOf = (name: string): Record<string, string>[] =>
  parse(readFileSync(at(name), 'utf8'), { columns: true });

describe('formats', () => {
  test('CSV has a row for each window and group, exact, with a column for each currency', async () => {
    putSome();
    const summary = await exported('x.csv', '--by', 'user', '--window', 'day');
    expect(summary).toMatchObject({
      status: 'done',
      format: 'csv',
      rows: 3,
      as_of_sequence: String(SEQUENCE),
    });
    expect(statSync(at('x.csv')).size).toBe(summary['bytes']);
    expect(readFileSync(at('x.csv'), 'utf8').split('\n')[0]).toBe(
      'window_start,window_end,user_profile,charges,unpriced_charges,prompt_tokens,completion_tokens,total_tokens,' +
        'cache_read_tokens,cache_write_5m_tokens,cache_write_1h_tokens,reasoning_tokens,audio_input_tokens,' +
        'audio_output_tokens,image_input_tokens,image_output_tokens,quantity_search_query,cost_eur,cost_eur_nanos,' +
        'cost_usd,cost_usd_nanos,reported_cost_chf,reported_cost_chf_nanos,as_of_sequence',
    );
    expect(csvOf('x.csv')).toMatchObject([
      {
        window_start: '2026-11-02T00:00:00+01:00',
        window_end: '2026-11-03T00:00:00+01:00',
        user_profile: 'ann',
        charges: '1',
        prompt_tokens: '9007199254740993',
        cost_usd: '9007199.254740993',
        cost_usd_nanos: '9007199254740993',
        // No charge has a cost in this currency, which is not 0.
        cost_eur: '',
        cost_eur_nanos: '',
        as_of_sequence: '1234',
      },
      { user_profile: '=1+1', charges: '1', unpriced_charges: '1', cost_usd: '', cost_eur: '' },
      {
        window_start: '2026-11-03T00:00:00+01:00',
        charges: '3',
        quantity_search_query: '3',
        cost_eur: '1.500000001',
        cost_usd: '1.500000001',
        reported_cost_chf_nanos: '10',
      },
    ]);
  });

  test('NDJSON has the rows of charge usage --json, each with the sequence', async () => {
    putSome();
    const args = ['--by', 'provider,label:team', '--window', 'hour'];
    await exported('x.ndjson', ...args);
    const lines = readFileSync(at('x.ndjson'), 'utf8').trimEnd().split('\n');
    const { stdout } = await service.run('usage', ...args, ...NOVEMBER, '--json');
    const { rows } = JSON.parse(stdout) as { rows: object[] };
    expect(rows.length).toBe(3);
    expect(lines.map((line) => JSON.parse(line) as object)).toEqual(
      rows.map((row) => ({ ...row, as_of_sequence: '1234' })),
    );
    // A reader that makes floating-point numbers of it would lose this digit; the text has it.
    expect(lines[0]).toContain('"prompt_tokens":9007199254740993,');
  });

  test('Parquet has the columns of CSV, typed', async () => {
    putSome();
    const args = ['--by', 'user,model', '--window', 'day'];
    await exported('x.parquet', ...args);
    await exported('x.csv', ...args);
    const file = await asyncBufferFromFile(at('x.parquet'));
    const schema = parquetSchema(await parquetMetadataAsync(file));
    const types = Object.fromEntries(
      schema.children.map(({ element: { name, converted_type, type } }) => [name, converted_type ?? type]),
    );
    const csv = csvOf('x.csv');
    expect(Object.keys(types)).toEqual(Object.keys(csv[0] ?? {}));
    expect(types).toMatchObject({
      window_start: 'TIMESTAMP_MICROS',
      user_profile: 'UTF8',
      charges: 'INT64',
      cost_usd: 'DECIMAL',
      cost_usd_nanos: 'INT64',
      as_of_sequence: 'INT64',
    });
    const rows: Record<string, unknown>[] = await parquetReadObjects({ file });
    const counts = [
      'charges',
      'prompt_tokens',
      'total_tokens',
      'cost_usd_nanos',
      'cost_eur_nanos',
      'as_of_sequence',
    ];
    const textsOf = (row: Record<string, unknown>) => [
      row['user_profile'],
      new Date(row['window_start'] as string).toISOString(),
      ...counts.map((name) => String((row[name] as bigint | null) ?? '')),
    ];
    expect(rows.map(textsOf)).toEqual(csv.map(textsOf));
    expect(rows[0]?.['window_start']).toEqual(new Date('2026-11-01T23:00:00Z'));
    expect(rows[0]?.['cost_eur']).toBeNull();
    expect(rows.at(-1)?.['cost_usd']).toBe(1.500000001);
  });

  test('FOCUS has a row for each day, user, provider, type, model and currency, and counts no token twice', async () => {
    putSome();
    await exported('x.focus.csv');
    const rows = csvOf('x.focus.csv');
    const day = {
      BillingAccountId: 'ann',
      BillingPeriodStart: '2026-10-31T23:00:00Z',
      BillingPeriodEnd: '2026-11-30T23:00:00Z',
      ChargePeriodStart: '2026-11-02T23:00:00Z',
      ChargePeriodEnd: '2026-11-03T23:00:00Z',
      ServiceProviderName: 'OpenAI',
      ServiceName: 'Prompt Completion',
      ServiceSubcategory: 'Generative AI',
      ChargeDescription: 'Prompt Completion of gpt-5.2',
      x_ModelId: 'gpt-5.2',
      x_AsOfSequence: '1234',
      SkuId: '',
    };
    expect(rows).toMatchObject([
      {
        BilledCost: '9007199.254740993',
        ChargePeriodStart: '2026-11-01T23:00:00Z',
        ConsumedQuantity: '9007199254741193',
      },
      {
        BillingAccountId: '=1+1',
        BilledCost: '',
        BillingCurrency: '',
        ConsumedQuantity: '1200',
        x_UnpricedCharges: '1',
      },
      {
        ...day,
        BilledCost: '1.500000001',
        ListCost: '1.500000001',
        BillingCurrency: 'EUR',
        ConsumedQuantity: '3600',
        ConsumedUnit: 'Tokens',
        x_Charges: '3',
      },
      {
        ...day,
        BilledCost: '1.500000001',
        BillingCurrency: 'USD',
        ConsumedQuantity: '',
        ConsumedUnit: '',
        x_Charges: '',
      },
    ]);
    const names = Object.keys(rows[0] ?? {});
    const isFocus = (name: string): boolean => !name.startsWith('x_');
    expect(names.filter(isFocus)).toEqual(FOCUS_COLUMNS.map(([name]) => name).filter(isFocus));
  });

  test('labels of FOCUS are tags', async () => {
    putSome();
    await exported(
      'x.focus.csv',
      '--by',
      'user,provider,type,label:team',
      '--window',
      'month',
      '--model',
      'gpt-5.2',
    );
    expect(csvOf('x.focus.csv').map(({ Tags }) => Tags)).toContain('{"team":"search"}');
  });

  test('without charges there is a header, and Parquet without rows', async () => {
    await exported('x.csv', '--window', 'day');
    expect(readFileSync(at('x.csv'), 'utf8')).toMatch(/^window_start,.*as_of_sequence\n$/);
    await exported('x.parquet', '--by', 'user');
    expect(await parquetReadObjects({ file: await asyncBufferFromFile(at('x.parquet')) })).toEqual([]);
  });

  test('every row arrives, and the flags of charge usage reach the service', async () => {
    for (let user = 0; user < 1500; user += 1) service.put({ user: `user-${user}`, provider: 4 });
    await exported('x.csv', '--by', 'user', '--as-of', '77', '--provider', 'anthropic');
    expect(new Set(csvOf('x.csv').map(({ user_profile }) => user_profile)).size).toBe(1500);
    expect(csvOf('x.csv')[0]).toMatchObject({ as_of_sequence: '77' });
    expect(service.queries.map(({ filter, asOfSequence }) => [filter?.provider, asOfSequence])).toEqual([
      [4, 77n],
      [4, 77n],
    ]);
    expect(service.streams).toBe(1);
  });
});

describe('a file that is not complete', () => {
  test('a stream that breaks off leaves no file, and the same command starts over', async () => {
    for (let user = 0; user < 1000; user += 1) service.put({ user: `user-${user}` });
    for (const name of ['x.csv', 'x.ndjson', 'x.parquet', 'x.focus.csv']) {
      service.faults.breaksAfter = 1;
      const args = ['export', 'usage', '--output', at(name), ...NOVEMBER];
      const broken = await service.run(
        ...args,
        ...(name === 'x.focus.csv' ? [] : ['--by', 'user']),
        '--json',
      );
      expect(broken.code).toBe(3);
      expect(JSON.parse(broken.stdout)).toMatchObject({ status: 'aborted', rows: 400 });
      expect(broken.stderr).toContain(`${at(name)} was not written. The same command starts over.`);
      expect(existsSync(at(name))).toBe(false);
      service.faults.breaksAfter = Infinity;
      await exported(name, ...(name === 'x.focus.csv' ? [] : ['--by', 'user']));
      expect(existsSync(`${at(name)}.part`)).toBe(false);
    }
    expect(csvOf('x.csv')).toHaveLength(1000);
  });

  test('Ctrl-C leaves no file', async () => {
    for (let user = 0; user < 1000; user += 1) service.put({ user: `user-${user}` });
    service.faults.stallsAfter = 1;
    const args = [
      'src/cli/charge.js',
      'export',
      'usage',
      '--by',
      'user',
      '--output',
      at('x.csv'),
      ...NOVEMBER,
    ];
    const child = spawn(process.execPath, [...args, '--address', service.address], {
      cwd: ROOT,
      stdio: 'ignore',
    });
    const gone = once(child, 'exit');
    const size = (): number => statSync(at('x.csv.part'), { throwIfNoEntry: false })?.size ?? 0;
    await waitFor('the first rows', () => size() > 10_000);
    child.kill('SIGINT');
    expect((await gone)[0]).toBe(130);
    expect(existsSync(at('x.csv'))).toBe(false);
  });

  test('a file that is there stays, unless --force replaces it', async () => {
    writeFileSync(at('x.csv'), 'mine');
    const args = ['export', 'usage', '--output', at('x.csv'), ...NOVEMBER];
    const refused = await service.run(...args);
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain('is there already; --force replaces it');
    expect(readFileSync(at('x.csv'), 'utf8')).toBe('mine');
    expect((await service.run(...args, '--force')).code).toBe(0);
    expect(readFileSync(at('x.csv'), 'utf8')).toMatch(/^window_start/);
  });

  test('what the service refuses begins no file', async () => {
    const message = 'as_of_sequence is after the last one';
    service.faults.refuses = { code: codes.OUT_OF_RANGE, reason: 'SEQUENCE_OUT_OF_RANGE', message };
    const args = ['export', 'usage', '--output', at('x.csv'), '--as-of', '99999'];
    const { code, stderr } = await service.run(...args);
    expect({ code, stderr }).toMatchObject({ code: 1, stderr: expect.stringContaining(message) });
    expect(existsSync(at('x.csv.part'))).toBe(false);
  });
});

test('what FOCUS cannot say is refused, and everything else that is wrong', async () => {
  const { code, stderr } = await service.run(
    ...[
      'export',
      'usage',
      '--format',
      'focus',
      '--by',
      'model',
      '--window',
      'week',
      '--fill',
      '--as-of',
      'x',
      'y',
    ],
  );
  expect(code).toBe(2);
  for (const fault of [
    '--by: every row of FOCUS has a user, a provider, a type',
    '--window week:',
    '--fill:',
    '--as-of:',
    'y: ',
  ])
    expect(stderr).toContain(`  - ${fault}`);
  expect(service.queries).toEqual([]);
});
