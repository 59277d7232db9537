/** `--json` and `--csv`. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { parse } from 'csv-parse/sync';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { status as codes } from '@grpc/grpc-js';
import { UsageKind } from '../../../generated/charge/v1/money.ts';
import { ROOT } from '../support/harness.ts';
import { FakeUsage } from './support/fake-usage.ts';

let service: FakeUsage;

beforeEach(async () => {
  service = await FakeUsage.open();
});
afterEach(() => service.close());

const NOVEMBER = ['--from', '2026-11-01', '--to', '2026-12-01', '--zone', 'Europe/Berlin'];

async function json(...args: string[]): Promise<Record<string, unknown>> {
  const { code, stdout, stderr } = await service.run(...args, ...NOVEMBER, '--json');
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return JSON.parse(stdout) as Record<string, unknown>;
}

describe('--json', () => {
  test('is one object with the question, the total and the rows, exact to the last digit', async () => {
    service.put(
      { cost: ['USD', 9_007_199_254_740_993n], prompt: 9_007_199_254_740_993n, completion: 0n },
      { cost: ['EUR', 1_500_000_001n], quantities: { [UsageKind.USAGE_KIND_SEARCH_QUERY]: 3n } },
      { cost: undefined, labels: { team: 'search' }, reported: ['CHF', 10n] },
    );
    const { stdout } = await service.run('usage', '--by', 'provider,label:team', ...NOVEMBER, '--json');
    // A reader that makes floating-point numbers of it would lose this digit; the text has it.
    expect(stdout).toContain('"prompt_tokens":9007199254741993,');
    const document = JSON.parse(stdout) as Record<string, unknown>;
    expect(document).toMatchObject({
      as_of_sequence: '1234',
      start_time: '2026-11-01T00:00:00+01:00',
      end_time: '2026-12-01T00:00:00+01:00',
      time_zone: 'Europe/Berlin',
      group_by: ['provider', 'label:team'],
      window: null,
      order_by: 'cost',
      currency_code: 'USD',
      total: { charges: 3, unpriced_charges: 1, group: {} },
      status: 'done',
    });
    expect(document['rows']).toMatchObject([
      {
        window_start: '2026-11-01T00:00:00+01:00',
        group: { provider: 'openai', other_provider: '', 'label:team': '' },
        charges: 2,
        costs: [
          { currency_code: 'EUR', amount: '1.500000001', nanos: '1500000001' },
          { currency_code: 'USD', amount: '9007199.254740993', nanos: '9007199254740993' },
        ],
        quantities: [{ kind: 'search_query', amount: 3 }],
        token_details: { cache_read_tokens: 0 },
      },
      {
        group: { 'label:team': 'search' },
        unpriced_charges: 1,
        costs: [],
        reported_costs: [{ currency_code: 'CHF', amount: '0.00000001', nanos: '10' }],
      },
    ]);
  });

  test('times have the offset of the zone at that moment', async () => {
    service.put({ time: '2026-10-24T22:30:00Z' });
    const { stdout } = await service.run(
      ...['usage', '--window', 'day', '--json', '--zone', 'Europe/Berlin'],
      ...['--from', '2026-10-25', '--to', '2026-10-26'],
    );
    expect(JSON.parse(stdout)).toMatchObject({
      order_by: 'window',
      rows: [{ window_start: '2026-10-25T00:00:00+02:00', window_end: '2026-10-26T00:00:00+01:00' }],
    });
  });

  test('every row arrives, a line each, however many there are', async () => {
    for (let user = 0; user < 3001; user += 1) service.put({ user: `user-${user}` });
    const { stdout } = await service.run('usage', '--by', 'user', ...NOVEMBER, '--json');
    const { rows, total } = JSON.parse(stdout) as { rows: object[]; total: object };
    expect(rows).toHaveLength(3001);
    expect(total).toMatchObject({ charges: 3001 });
    expect(service.streams).toBe(1);
    expect(stdout.trimEnd().split('\n')).toHaveLength(3001 + 3);
  });

  test('--limit ends a stream early, and pages are read until there are enough rows', async () => {
    for (let user = 0; user < 3001; user += 1) service.put({ user: `user-${user}` });
    expect((await json('usage', '--by', 'user', '--limit', '1500'))['rows']).toHaveLength(1500);
    expect(service.streams).toBe(1);
    service.faults.pageMax = 3;
    expect((await json('usage', '--by', 'user', '--limit', '7'))['rows']).toHaveLength(7);
    expect(service.pageSizes.slice(-3)).toEqual([7, 4, 1]);
  });

  test('it ends when nobody reads its output any more', async () => {
    for (let user = 0; user < 5000; user += 1) service.put({ user: `user-${user}` });
    const args = ['usage', '--by', 'user', ...NOVEMBER, '--json', '--address', service.address];
    const child = spawn(process.execPath, [join(ROOT, 'src/cli/charge.js'), ...args]);
    child.stdout.once('data', () => child.stdout.destroy());
    const [stderr, [code]] = await Promise.all([
      child.stderr.setEncoding('utf8').toArray(),
      once(child, 'exit'),
    ]);
    expect({ code: code as number, stderr }).toEqual({ code: 0, stderr: [] });
  });

  test('a stream that does not begin is asked for again, and no row comes twice', async () => {
    for (let user = 0; user < 1100; user += 1) service.put({ user: `user-${user}` });
    service.faults.lostStreams = 2;
    const { rows } = (await json('usage', '--by', 'user')) as { rows: { group: { user_profile: string } }[] };
    expect(new Set(rows.map(({ group }) => group.user_profile)).size).toBe(1100);
    expect(rows).toHaveLength(1100);
    expect(service.streams).toBe(3);
  });

  test('a stream that breaks off ends the object in order, which says so; exit status 3', async () => {
    for (let user = 0; user < 1300; user += 1) service.put({ user: `user-${user}` });
    service.faults.breaksAfter = 3;
    const { code, stdout, stderr } = await service.run('usage', '--by', 'user', ...NOVEMBER, '--json');
    expect(code).toBe(3);
    expect(stderr).toContain('UNAVAILABLE (SHUTTING_DOWN): going away. Run the same command again');
    const { rows, status, error } = JSON.parse(stdout) as Record<string, unknown>;
    expect(rows).toHaveLength(1200);
    expect({ status, error }).toEqual({
      status: 'aborted',
      error: 'UNAVAILABLE (SHUTTING_DOWN): going away',
    });
  });

  test('a refusal and wrong flags are objects, too', async () => {
    service.faults.refuses = {
      code: codes.OUT_OF_RANGE,
      reason: 'SEQUENCE_OUT_OF_RANGE',
      message: 'not yet',
    };
    const { code, stdout } = await service.run('usage', '--as-of', '99', '--json');
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toEqual({
      status: 'refused',
      error: 'OUT_OF_RANGE (SEQUENCE_OUT_OF_RANGE): not yet',
    });
    const wrong = await service.run('usage', '--window', 'year', '--json');
    expect(JSON.parse(wrong.stdout)).toMatchObject({ status: 'refused', faults: [expect.any(String)] });
  });

  test('without charges there are no rows', async () => {
    expect(await json('usage')).toMatchObject({ rows: [], total: { charges: 0 }, status: 'done' });
  });
});

describe('--csv', () => {
  test('has a header and a line for each row, ended as RFC 4180 says, with exact decimals', async () => {
    service.put(
      { user: 'a "b", c\nd', cost: ['USD', 1_500_000_001n], reported: ['CHF', 10n] },
      { user: 'é', cost: ['EUR', 2_000_000_000n], quantities: { [UsageKind.USAGE_KIND_SEARCH_QUERY]: 3n } },
    );
    const { code, stdout } = await service.run('usage', '--by', 'user', ...NOVEMBER, '--csv');
    expect(code).toBe(0);
    expect(stdout.replaceAll('\r\n', '')).not.toContain('\r');
    expect(stdout.endsWith('\r\n')).toBe(true);
    expect(stdout).toContain('"a ""b"", c\nd"');
    const rows: Record<string, string>[] = parse(stdout, { columns: true });
    expect(rows).toEqual([
      expect.objectContaining({
        window_start: '2026-11-01T00:00:00+01:00',
        window_end: '2026-12-01T00:00:00+01:00',
        user_profile: 'é',
        charges: '1',
        total_tokens: '1200',
        quantity_search_query: '3',
        cost_eur: '2',
        // No charge of this row has a cost in this currency.
        cost_usd: '',
        reported_cost_chf: '',
      }),
      expect.objectContaining({
        user_profile: 'a "b", c\nd',
        quantity_search_query: '0',
        cost_eur: '',
        cost_usd: '1.500000001',
        reported_cost_chf: '0.00000001',
      }),
    ]);
  });

  test('without charges there is only the header', async () => {
    const { stdout } = await service.run(
      'usage',
      '--by',
      'provider',
      '--window',
      'day',
      ...NOVEMBER,
      '--csv',
    );
    expect(stdout).toMatch(/^window_start,window_end,provider,other_provider,charges,[^\n]*\r\n$/);
  });
});
