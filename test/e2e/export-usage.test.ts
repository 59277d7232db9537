/** `charge export usage` against the started service: the sums of each format are those of `charge usage --json`. */

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { parse } from 'csv-parse/sync';
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet';

import { parseScaled } from '../../src/cli/money.ts';
import { runCharge } from './support/charge-program.ts';
import { type MoneyService, startMoneyService } from './support/money-service.ts';

const PRICES = `provider,model,currency_code,input,output
openai,gpt-5.2,USD,2.000001,10
mistral_ai,mistral-large,EUR,1,4
`;
const ROWS = 600;

let service: MoneyService;
const at = (name: string): string => join(service.directory, name);
const run = (...args: string[]) => runCharge(service.address, ...args);

/** Usage of a week that has a change of the clocks, of three users; every seventh charge has no price. */
function usage(): string {
  const lines = Array.from({ length: ROWS }, (_, i) => {
    const time = new Date(Date.UTC(2025, 9, 23) + i * 1_000_000).toISOString();
    const model =
      i % 7 === 0 ? 'openai,no-price' : i % 3 === 0 ? 'mistral_ai,mistral-large' : 'openai,gpt-5.2';
    return `r${i},${time},user-${i % 3},${model},${1_000_003 + i},${7 * i}`;
  });
  return ['request_id,usage_time,user_profile,provider,model,prompt_tokens,completion_tokens', ...lines].join(
    '\n',
  );
}

beforeAll(async () => {
  service = await startMoneyService();
  writeFileSync(at('prices.csv'), PRICES);
  writeFileSync(at('usage.csv'), usage());
  await run('prices', 'import', at('prices.csv'), '--yes');
  await run('import', at('usage.csv'), '--yes');
  await run('void', '--request-id', 'r4', '--reason', 'twice', '--yes');
});
afterAll(() => service.close());

const WEEK = ['--from', '2025-10-23', '--to', '2025-10-30', '--zone', 'Europe/Berlin'];
const BY = ['--by', 'user,provider,type,model', '--window', 'day'];

/** What the rows of an output add up to. */
interface Sums {
  rows: number;
  charges: bigint;
  unpriced: bigint;
  tokens: bigint;
  USD: bigint;
  EUR: bigint;
}

function add(sums: Sums, row: Partial<Record<keyof Sums, unknown>>): Sums {
  const count = (value: unknown): bigint => BigInt((value ?? '') as string | bigint);
  return {
    rows: sums.rows + 1,
    charges: sums.charges + count(row.charges),
    unpriced: sums.unpriced + count(row.unpriced),
    tokens: sums.tokens + count(row.tokens),
    USD: sums.USD + count(row.USD),
    EUR: sums.EUR + count(row.EUR),
  };
}
const NOTHING: Sums = { rows: 0, charges: 0n, unpriced: 0n, tokens: 0n, USD: 0n, EUR: 0n };

const fieldsOf = (row: Record<string, unknown>) => ({
  charges: row['charges'],
  unpriced: row['unpriced_charges'],
  tokens: row['total_tokens'],
  USD: row['cost_usd_nanos'],
  EUR: row['cost_eur_nanos'],
});

interface JsonRow extends Record<string, unknown> {
  readonly costs: readonly { currency_code: string; amount: string; nanos: string }[];
}

const nanosOf = ({ costs }: JsonRow, code: string) => costs.find((one) => one.currency_code === code)?.nanos;

function sumsOf(rows: readonly JsonRow[]): Sums {
  return rows
    .map((row) => ({ ...fieldsOf(row), USD: nanosOf(row, 'USD'), EUR: nanosOf(row, 'EUR') }))
    .reduce(add, NOTHING);
}

const csvOf = (name: string): Record<string, string>[] =>
  parse(readFileSync(at(name), 'utf8'), { columns: true });

function scaled(text: string): bigint {
  const read = parseScaled(text, 9);
  if (typeof read === 'string' || read.isRounded) throw new Error(`${text}: ${JSON.stringify(read)}`);
  return read.value;
}

test('the sums of each format are those of charge usage --json, as of the same sequence', async () => {
  const answer = await run('usage', ...BY, ...WEEK);
  const expected = sumsOf(answer['rows'] as JsonRow[]);
  expect(expected).toMatchObject({ charges: BigInt(ROWS) - 1n, unpriced: 86n });
  // Recorded after the answer: it must not be in an export as of then.
  await run('void', '--request-id', 'r5', '--reason', 'twice', '--yes');
  const asOf = answer['as_of_sequence'] as string;
  const exported = async (name: string) =>
    expect(await run('export', 'usage', ...BY, ...WEEK, '--as-of', asOf, '--output', at(name))).toMatchObject(
      {
        status: 'done',
        rows: expected.rows,
        as_of_sequence: asOf,
      },
    );

  await exported('week.csv');
  const csv = csvOf('week.csv');
  expect(csv.map(fieldsOf).reduce(add, NOTHING)).toEqual(expected);
  for (const row of csv) {
    expect(row['as_of_sequence']).toBe(asOf);
    for (const name of ['cost_usd', 'cost_eur'])
      expect(row[name] === '' ? '' : String(scaled(row[name] ?? ''))).toBe(row[`${name}_nanos`]);
  }
  const starts = new Set(csv.map(({ window_start }) => window_start));
  for (const start of ['2025-10-26T00:00:00+02:00', '2025-10-27T00:00:00+01:00'])
    expect(starts).toContain(start);

  await exported('week.ndjson');
  const lines = readFileSync(at('week.ndjson'), 'utf8').trimEnd().split('\n');
  expect(lines.map((line) => JSON.parse(line) as object)).toEqual(
    (answer['rows'] as object[]).map((row) => ({ ...row, as_of_sequence: asOf })),
  );

  await exported('week.parquet');
  const rows: Record<string, unknown>[] = await parquetReadObjects({
    file: await asyncBufferFromFile(at('week.parquet')),
  });
  expect(rows.map(fieldsOf).reduce(add, NOTHING)).toEqual(expected);
  expect(
    rows.map((row) => [(row['window_start'] as Date).getTime(), row['user_profile'], row['model']]),
  ).toEqual(csv.map((row) => [Date.parse(row['window_start'] ?? ''), row['user_profile'], row['model']]));

  await exported('week.focus.csv');
  const focus = csvOf('week.focus.csv');
  const cost = (row: Record<string, string>, code: string) =>
    row['BillingCurrency'] === code ? scaled(row['BilledCost'] ?? '') : 0n;
  const focusSums = focus
    .map((row) => ({
      charges: row['x_Charges'],
      unpriced: row['x_UnpricedCharges'],
      tokens: row['ConsumedQuantity'],
      USD: cost(row, 'USD'),
      EUR: cost(row, 'EUR'),
    }))
    .reduce(add, NOTHING);
  expect(focusSums).toEqual(expected);
  expect(new Set(focus.map(({ BillingPeriodStart }) => BillingPeriodStart))).toEqual(
    new Set(['2025-09-30T22:00:00Z']),
  );
  // The last sequence, which lacks the charge that was voided meanwhile.
  await run('export', 'usage', ...BY, ...WEEK, '--output', at('now.csv'));
  expect(csvOf('now.csv').map(fieldsOf).reduce(add, NOTHING).charges).toBe(expected.charges - 1n);
});

test('what the service refuses leaves no file', async () => {
  const args = ['export', 'usage', ...WEEK, '--as-of', '999999', '--output', at('refused.csv')];
  await expect(run(...args)).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringContaining('SEQUENCE_OUT_OF_RANGE'),
  });
  expect(existsSync(at('refused.csv')) || existsSync(at('refused.csv.part'))).toBe(false);
});
