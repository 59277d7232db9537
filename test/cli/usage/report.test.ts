/** The tables of `charge usage` and `charge top`. */

import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { status as codes } from '@grpc/grpc-js';
import { columnsOf } from '../../../src/cli/usage/names.ts';
import { FakeUsage } from './support/fake-usage.ts';

let service: FakeUsage;

beforeEach(async () => {
  service = await FakeUsage.open();
});
afterEach(() => service.close());

const NOVEMBER = ['--from', '2026-11-01', '--to', '2026-12-01', '--zone', 'Europe/Berlin'];
const usd = (nanos: bigint) => ['USD', nanos] as const;

/** Runs the command for November and returns the lines of its standard output. */
async function linesOf(...args: string[]): Promise<string[]> {
  const { code, stdout, stderr } = await service.run(...args, ...NOVEMBER);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return stdout.trimEnd().split('\n');
}

/** The lines after the heading: the table, and what follows it. */
async function tableOf(...args: string[]): Promise<string[]> {
  const lines = await linesOf(...args);
  return lines.slice(lines.indexOf('') + 1);
}

test('a row for each group with a bar, the total, and the sequence', async () => {
  service.put({ cost: usd(1_234_567_500_000_000n) }, { model: 'o5', cost: usd(308_641_875_000_000n) });
  expect(await linesOf('usage')).toEqual([
    'Usage by model from 2026-11-01 00:00 to 2026-12-01 00:00, Europe/Berlin',
    'The highest cost in USD first',
    '',
    'MODEL        COST USD  CHARGES  PROMPT  COMPLETION  TOKENS',
    'gpt-5.2  1,234,567.50        1   1,000         200   1,200  ████████████████████████',
    'o5         308,641.88        1   1,000         200   1,200  ██████',
    'Total    1,543,209.38        2   2,000         400   2,400',
    '',
    'as of sequence 1234',
  ]);
});

test('charge top shows shares, and what all others add up to', async () => {
  for (let user = 1; user <= 12; user += 1)
    service.put({ user: `user-${String(user).padStart(2, '0')}`, cost: usd(BigInt(user) * 1_000_000_000n) });
  const lines = await tableOf('top', 'users', '--limit', '2');
  expect(lines).toEqual([
    'USER            SHARE  COST USD  CHARGES  PROMPT  COMPLETION  TOKENS',
    'user-12        15.4 %     12.00        1   1,000         200   1,200  ████████████████████████',
    'user-11        14.1 %     11.00        1   1,000         200   1,200  ██████████████████████',
    '(all others)   70.5 %     55.00       10  10,000       2,000  12,000',
    'Total         100.0 %     78.00       12  12,000       2,400  14,400',
    '',
    'Only the first 2 rows are shown; --limit shows more.',
    'as of sequence 1234',
  ]);
  expect(await tableOf('top', 'users', '--limit', '12')).not.toContainEqual(
    expect.stringContaining('others'),
  );
});

test('others that have no cost have none, rather than one of 0', async () => {
  service.put({}, { model: 'b', cost: undefined }, { model: 'c', cost: undefined });
  expect((await tableOf('usage', '--limit', '1'))[2]).toMatch(/^\(all others\) +- +2 +2 /);
  service.put({ model: 'd', cost: ['EUR', 1_000_000_000n] });
  expect((await tableOf('usage', '--limit', '1'))[2]).toMatch(/^\(all others\) +- +1\.00 +3 +2 /);
});

test('unpriced charges are counted apart, and the command that shows why is named', async () => {
  service.put({}, { cost: undefined }, { model: 'new', cost: undefined });
  const lines = await tableOf('usage');
  expect(lines[0]).toBe('MODEL    COST USD  CHARGES  UNPRICED  PROMPT  COMPLETION  TOKENS');
  // No cost is not a cost of 0.
  expect(lines[2]).toBe('new             -        1         1   1,000         200   1,200');
  expect(lines.slice(5)).toEqual([
    '2 of 3 charges have no cost and are in no sum of costs. To see why:',
    `  npx charge prices check --from 2026-10-31T23:00:00Z --to 2026-11-30T23:00:00Z --address ${service.address}`,
    'as of sequence 1234',
  ]);
});

test('as of an earlier sequence, and with filters, the hint says what the command looks at', async () => {
  service.put({}, { cost: undefined });
  expect((await tableOf('usage', '--as-of', '7')).slice(4, 5)).toEqual([
    '1 of 2 charges had no cost as of sequence 7 and are in no sum of costs. To see which have none now:',
  ]);
  expect((await tableOf('usage', '--user', 'ann')).join('\n')).toContain(
    'To see why, among all charges of that time:',
  );
});

test('of charges that may be archived, only those after the archive can be checked', async () => {
  service.put({}, { cost: undefined });
  service.archiveEndTime = { seconds: BigInt(Date.parse('2026-11-15T00:00:00Z') / 1000), nanos: 0 };
  const note = 'Charges before 2026-11-15 01:00 that are archived can no longer get a cost.';
  expect((await tableOf('usage')).slice(-4)).toEqual([
    '1 of 2 charges have no cost and are in no sum of costs.',
    `${note} To see why:`,
    `  npx charge prices check --from 2026-11-15T00:00:00Z --to 2026-11-30T23:00:00Z --address ${service.address}`,
    'as of sequence 1234',
  ]);
  service.archiveEndTime = { seconds: BigInt(Date.parse('2026-12-15T00:00:00Z') / 1000), nanos: 0 };
  expect((await tableOf('usage')).join('\n')).not.toContain('prices check');
});

test('each of three currencies has a column, the one that is compared first; others are told below', async () => {
  const codes = ['AUD', 'CHF', 'EUR', 'JPY', 'USD'];
  codes.forEach((code, index) => service.put({ cost: [code, BigInt(index + 1) * 1_000_000_000n] }));
  const lines = await tableOf('usage');
  expect(lines[0]).toMatch(/^MODEL +COST USD +COST AUD +COST CHF +CHARGES/);
  expect(lines).toContain('Costs in more than 3 currencies. Also: 3.00 EUR, 4.00 JPY');
  expect((await tableOf('usage', '--currency', 'JPY'))[0]).toMatch(/^MODEL +COST JPY +COST AUD +COST CHF/);
});

test('a reported cost has a column if it is compared', async () => {
  service.put({ reported: ['EUR', 2_500_000_000n] }, { model: 'o5' });
  expect((await linesOf('usage', '--order', 'reported-cost'))[1]).toBe(
    'The highest reported cost in EUR first',
  );
  const lines = await tableOf('usage', '--order', 'reported-cost');
  expect(lines[0]).toContain('COST USD  REPORTED EUR');
  expect(lines[1]).toMatch(/^gpt-5.2 +1\.50 +2\.50 .*█$/);
  expect(lines[2]).toMatch(/^o5 +1\.50 +- [^█]*$/);
});

describe('windows', () => {
  beforeEach(() =>
    service.put(
      { time: '2026-11-02T00:00:00+01:00' },
      { time: '2026-11-03T23:59:59+01:00', model: 'o5' },
      { time: '2026-11-30T12:00:00+01:00', cost: usd(3_000_000_000n) },
    ),
  );

  test('alone they are rows; --fill shows those without charges', async () => {
    const lines = await tableOf('usage', '--window', 'day');
    expect(lines.slice(0, 5)).toEqual([
      'DAY         COST USD  CHARGES  PROMPT  COMPLETION  TOKENS',
      '2026-11-02      1.50        1   1,000         200   1,200  ████████████',
      '2026-11-03      1.50        1   1,000         200   1,200  ████████████',
      '2026-11-30      3.00        1   1,000         200   1,200  ████████████████████████',
      'Total           6.00        3   3,000         600   3,600',
    ]);
    const filled = await tableOf('usage', '--window', 'day', '--fill');
    expect(filled).toContain('2026-11-01         -        0       0           0       0');
    expect(filled.filter((line) => line.startsWith('2026-'))).toHaveLength(30);
  });

  test('months, and a window that the range cuts, are named by where they begin', async () => {
    expect((await tableOf('usage', '--window', 'month'))[1]).toMatch(/^2026-11 /);
    const { stdout } = await service.run(
      'usage',
      '--window',
      'month',
      '--from',
      '2026-11-02',
      '--to',
      '2026-12-01',
      '--zone',
      'UTC',
    );
    expect(stdout).toMatch(/^2026-11-02 /m);
  });

  test('an hour that occurs twice has its offset', async () => {
    service.used.length = 0;
    service.put({ time: '2026-10-25T00:30:00Z' }, { time: '2026-10-25T01:30:00Z' });
    const { stdout } = await service.run(
      'usage',
      '--window',
      'hour',
      '--from',
      '2026-10-25',
      '--to',
      '2026-10-26',
      '--zone',
      'Europe/Berlin',
    );
    expect(stdout).toMatch(/^2026-10-25 02:00 \+02:00 [^]*^2026-10-25 02:00 \+01:00 /m);
  });

  test('a few windows by group are rows', async () => {
    const args = [
      '--by',
      'model',
      '--window',
      'day',
      '--from',
      '2026-11-02',
      '--to',
      '2026-11-04',
      '--zone',
      'Europe/Berlin',
    ];
    const { stdout } = await service.run('usage', ...args);
    expect(stdout).toMatch(/^DAY +MODEL +COST USD/m);
    expect(stdout).toMatch(/^2026-11-02 +gpt-5.2 +1\.50[^]*^2026-11-03 +o5 +1\.50[^]*^Total +3\.00/m);
  });

  test('many windows by group are sparklines, each to its own scale', async () => {
    const lines = await tableOf('usage', '--by', 'model', '--window', 'day');
    const gpt = `·█${'·'.repeat(27)}█`;
    expect(lines).toEqual([
      'MODEL    TREND                           COST USD  CHARGES  PROMPT  COMPLETION  TOKENS',
      `gpt-5.2  ·▄${'·'.repeat(27)}█      4.50        2   2,000         400   2,400`,
      `o5       ··█${'·'.repeat(27)}      1.50        1   1,000         200   1,200`,
      `Total    ·▄▄${'·'.repeat(26)}█      6.00        3   3,000         600   3,600`,
      '',
      'TREND: cost in USD per day, each row to its own scale.',
      'as of sequence 1234',
    ]);
    expect(gpt).toHaveLength(30);
    // The total, the windows, the groups, and the groups by window.
    expect(service.queries).toHaveLength(4);
    expect(new Set(service.queries.slice(1).map(({ asOfSequence }) => asOfSequence))).toEqual(
      new Set([1234n]),
    );
  });

  test('windows share a mark if there is no room for each', async () => {
    const lines = await linesOf('usage', '--by', 'model', '--window', 'hour');
    expect(lines).toContainEqual(expect.stringMatching(/^TREND: cost in USD per \d+ hours, /));
    expect(lines.every((line) => columnsOf(line) <= 120)).toBe(true);
  });

  test('if others are not shown, only the groups that are shown are asked for by window', async () => {
    service.put({ time: '2026-11-05T12:00:00Z', model: '', cost: usd(1n) });
    const lines = await tableOf('usage', '--by', 'model', '--window', 'day', '--limit', '2');
    expect(lines[3]).toMatch(/^\(all others\) +<0\.01 +1/);
    expect(service.queries.slice(3).map(({ filter }) => filter?.model)).toEqual(['gpt-5.2', 'o5']);
    expect(lines[1]).toContain(`·▄${'·'.repeat(27)}█`);
    // No filter lets only charges without a model through: everything is read.
    service.queries.length = 0;
    service.put({ time: '2026-11-06T12:00:00Z', model: '', cost: usd(90_000_000_000n) });
    expect((await tableOf('usage', '--by', 'model', '--window', 'day', '--limit', '2'))[1]).toContain(
      `(none)        ····▁█${'·'.repeat(24)}`,
    );
    expect(service.queries.slice(3).map(({ filter }) => filter?.model)).toEqual(['']);
  });
});

test('names of any kind keep the table in shape', async () => {
  service.put(
    { user: '\u001b[2J\u001b[31mred\nnew line' },
    { user: '日本語の名前'.repeat(20) },
    { user: '👩‍💻 dev', labels: { team: 'a' } },
  );
  const lines = await tableOf('usage', '--by', 'user', '--by', 'label:team');
  expect(lines.join('')).not.toContain('\u001b');
  const rows = lines.slice(0, 5);
  expect(rows.some((line) => line.includes('日本語の名前日本語') && line.includes('…  (none)'))).toBe(true);
  expect(rows.every((line) => columnsOf(line) <= 100)).toBe(true);
  // The numbers end in one column.
  const ends = rows.map((line) => columnsOf(/^.*?(?:COST USD|\d\.\d\d)(?= )/.exec(line)?.[0] ?? ''));
  expect(new Set(ends).size).toBe(1);
});

test.each([60, 80, 100, 140])('a table fits a terminal of %d columns', async (width) => {
  service.width = width;
  service.put(
    { user: 'a user with a rather long name', model: 'claude-opus-4.5-20251101' },
    { cost: undefined },
  );
  for (const args of [[], ['--window', 'day'], ['--window', 'month']]) {
    const lines = await tableOf('usage', '--by', 'user,model', ...args);
    const rows = lines.slice(0, lines.indexOf(''));
    expect(Math.max(...rows.map(columnsOf))).toBeLessThanOrEqual(width);
    expect(rows[0]).toContain('COST USD');
  }
});

describe('nothing found', () => {
  test('it says so, and when there was usage', async () => {
    service.put({ time: '2025-03-01T12:00:00Z' });
    expect(await linesOf('usage')).toEqual([
      'No charges from 2026-11-01 00:00 to 2026-12-01 00:00 (Europe/Berlin).',
      'The newest charge of all is of 2025-03-01 13:00. Try --from 2025-03-01.',
      'as of sequence 1234',
    ]);
    service.put({});
    const filtered = await linesOf('usage', '--user', 'nobody');
    expect(filtered[0]).toContain('that the filters let through');
    expect(filtered[1]).toBe('The newest charge of all is of 2026-11-01 13:00.');
  });

  test('without any charge it tells how to record some', async () => {
    expect((await linesOf('top', 'users'))[1]).toContain('There are no charges at all. charge import FILE');
  });
});

test('what the service refuses is told as it says it, with exit status 1', async () => {
  service.faults.refuses = {
    code: codes.FAILED_PRECONDITION,
    reason: 'SCAN_LIMIT_EXCEEDED',
    message: 'the question reads more than 1,000,000 charges: add a shorter time range',
  };
  expect(await service.run('usage', '--by', 'session')).toEqual({
    code: 1,
    stdout: '',
    stderr:
      'The service refused: FAILED_PRECONDITION (SCAN_LIMIT_EXCEEDED): the question reads more than 1,000,000 charges: add a shorter time range\n',
  });
});
