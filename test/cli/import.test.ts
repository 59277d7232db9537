/** What an import does with a file, and what it reports. */

import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { existsSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { Harness, rejectsOf, usage, usageOf } from './support/harness.ts';

let harness: Harness;

beforeEach(async () => {
  harness = await Harness.open();
});

afterEach(() => harness.close());

test('a second import of a file adds nothing, even under another name', async () => {
  const file = harness.write('usage.csv', usage(300));
  expect(await harness.run(file)).toMatchObject({
    code: 0,
    json: {
      status: 'stored',
      rows: 300,
      created: 300,
      replayed: 0,
      rejected: 0,
      prompt_tokens: '45150',
      completion_tokens: '90300',
    },
  });
  expect((await harness.import(file)).json).toMatchObject({ created: 0, replayed: 300 });
  const renamed = join(harness.folder, 'other.csv');
  renameSync(file, renamed);
  expect((await harness.import(renamed)).json).toMatchObject({
    created: 0,
    replayed: 300,
    prompt_tokens: '45150',
  });
  expect(harness.service.charges.size).toBe(300);
});

const [HEADER = '', ...ROWS] = [...usage(3), ...usage(1).slice(1)];

test.each<[string, string | string[], number]>([
  ['CRLF, a byte order mark and no last line end', `\ufeff${[HEADER, ...ROWS].join('\r\n')}`, 0],
  ['another order', [HEADER, ...ROWS].toSpliced(1, 4, ...ROWS.toReversed()), 0],
  ['more rows on top', [HEADER, '2024-02-01,x,1,1,m', ...ROWS], 1],
  ['more rows below', [HEADER, ...ROWS, '2024-02-01,x,1,1,m', '2024-02-01,x,1,1,m'], 2],
  ['another column', [`cost,${HEADER}`, ...ROWS.map((row, index) => `0.${index},${row}`)], 0],
  [
    'other columns first',
    [
      'model,user_profile,usage_time,completion_tokens,prompt_tokens',
      'gpt-4,user-1,2024-01-01T00:00:00.0000001Z,2,1.0',
    ],
    0,
  ],
  ['one part of it', [HEADER, ...ROWS.slice(1, 3)], 0],
  ['one equal row more', [HEADER, ...ROWS, ...ROWS.slice(0, 1)], 1],
])('exported again with %s, a file without ids adds only what is new', async (_, text, created) => {
  await harness.import(harness.write('usage.csv', [HEADER, ...ROWS]));
  expect(harness.service.charges.size).toBe(4);
  const { json } = await harness.import(harness.write('again.csv', text));
  expect(json).toMatchObject({ created, rejected: 0 });
});

test('other flags find the charges of before: a difference is a conflict, and no row is charged again', async () => {
  const file = harness.write('usage.csv', [
    'time,tier,prompt_tokens,completion_tokens',
    '2024-01-01,gold,1,2',
    '2024-01-02,gold,1,2',
  ]);
  await harness.import(file, '--set', 'model=m');
  for (const flags of [['--labels'], ['--map', 'session_key=tier'], ['--set', 'provider=openai']]) {
    const { code, json, stderr } = await harness.import(file, '--set', 'model=m', ...flags);
    expect({ code, ...json }).toMatchObject({ code: 1, created: 0, replayed: 0, rejected: 2, conflicts: 2 });
    expect(stderr).toContain('[field: ');
    expect(String(json['hints'])).toContain('with the flags of that import');
  }
  // The advice: the flags of the earlier import.
  expect(await harness.import(file, '--set', 'model=m')).toMatchObject({
    code: 0,
    json: { created: 0, replayed: 2 },
  });
  expect(harness.service.charges.size).toBe(2);
});

test('rejected rows are reported with line and reason, and can be corrected in place and imported again', async () => {
  const bad = [
    '2024-01-01,ann,1.5,5,m',
    `2024-01-01,${'x'.repeat(256)},3,5,m`,
    'yesterday,ann,1,,m',
    '2024-01-01,ann,1',
    '2024-01-01,"ann,1,2,m',
  ];
  const file = harness.write('usage.csv', [...usage(2), ...bad, '2024-01-01,ann,7,7,m']);
  const first = await harness.import(file);
  expect(first).toMatchObject({ code: 1, json: { status: 'rejected', rows: 8, created: 3, rejected: 5 } });
  expect(first.stderr).toContain('row 4 rejected: prompt_tokens "1.5" is a fraction');
  const path = `${file}.rejects.ndjson`;
  expect(rejectsOf(path)).toMatchObject([
    { row: 4, code: 'INVALID_VALUE', raw: bad[0], violations: [{ field: 'charge.prompt_tokens' }] },
    {
      row: 5,
      code: 'VALIDATION_FAILED',
      raw: bad[1],
      request_id: expect.stringMatching(/^import:[\w-]{22}:1$/),
      violations: [{ field: 'charge.user_profile', rule: 'string.max_len' }],
    },
    {
      row: 6,
      code: 'INVALID_VALUE',
      violations: [{ field: 'charge.usage_time' }, { field: 'charge.completion_tokens' }],
    },
    { row: 7, code: 'UNREADABLE_ROW', raw: bad[3] },
    { row: 8, code: 'UNREADABLE_ROW', raw: bad[4] },
  ]);
  harness.write('usage.csv', readFileSync(file, 'utf8').replace('1.5', '1000'));
  expect((await harness.import(file)).json).toMatchObject({ created: 1, replayed: 3, rejected: 4 });
  expect(rejectsOf(path).map(({ row }) => row)).toEqual([5, 6, 7, 8]);
});

test('the reject file of another file is kept, and no other file is overwritten', async () => {
  const rejects = join(harness.folder, 'r.ndjson');
  await harness.import(harness.write('a.csv', usageOf('2024-01-01,a,x,1,m')), '--rejects', rejects);
  await harness.import(harness.write('b.csv', usageOf('2024-01-01,b,y,1,m')), '--rejects', rejects);
  expect(rejectsOf(rejects)[0]?.['raw']).toContain(',b,');
  expect(rejectsOf(`${rejects}.1`)[0]?.['raw']).toContain(',a,');
  const own = harness.write('own.txt', 'mine');
  expect(await harness.import(harness.write('c.csv', usage(1)), '--rejects', own)).toMatchObject({ code: 2 });
  expect(readFileSync(own, 'utf8')).toBe('mine');
});

test('no reject file is made when nothing was rejected', async () => {
  const file = harness.write('usage.csv', usage(3));
  await harness.import(file);
  expect(existsSync(`${file}.rejects.ndjson`)).toBe(false);
  expect(existsSync(`${file}.rejects.ndjson.partial`)).toBe(false);
});

test('NDJSON has columns and keeps large integers; only charges in proto3 JSON may leave out what is 0', async () => {
  const lines = [
    '{"userProfile":"a","provider":"PROVIDER_OPENAI","chargeType":"CHARGE_TYPE_COMPLETION","promptTokens":"9007199254740993","model":"m","labels":{"team":"x"},"tokenDetails":{"cacheReadTokens":"5"},"usageTime":"2024-01-01T00:00:00.123456789Z","id":"c1"}',
  ];
  const plain = [
    '{"user_profile":"b","provider":"openai","charge_type":"completion","prompt_tokens":9007199254740993,"completion_tokens":1,"model":"m","usage_time":1704067200}',
    '{"user_profile":"c","provider":"openai","charge_type":"completion","prompt_tokens":1000,"model":"m","usage_time":1704067200}',
    'not json',
  ];
  const { json } = await harness.import(harness.write('charges.ndjson', lines));
  expect(json).toMatchObject({ created: 1, rejected: 0, prompt_tokens: '9007199254740993' });
  expect([...harness.service.charges.keys()]).toEqual(['c1']);
  const [first] = [...harness.service.charges.values()];
  expect(first).toMatchObject({ tokenDetails: { cacheReadTokens: 5n }, usageTime: { nanos: 123_456_789 } });
  expect([...(first?.labels ?? [])]).toEqual([['team', 'x']]);
  expect((await harness.import(harness.write('usage.ndjson', plain))).json).toMatchObject({
    created: 1,
    rejected: 2,
    prompt_tokens: '9007199254740993',
  });
});

test('--request-id-column uses the request ids of the file, in the order of the file, and loses no row without one', async () => {
  const rows = [
    'key,time,prompt_tokens,completion_tokens,model',
    'k1,2024-01-01,1,1,m',
    'k1,2024-01-01,2,1,m',
    'k1,2024-01-01,1,1,m',
    ',2024-01-01,1,1,m',
    'None,2024-01-01,1,1,m',
  ];
  const file = harness.write('usage.csv', rows);
  const { json, stderr } = await harness.import(
    file,
    '--request-id-column',
    'key',
    '--streams',
    '8',
    '--yes',
  );
  expect(json).toMatchObject({ created: 3, replayed: 1, rejected: 1 });
  expect(stderr).toContain('1 rows, the first in line 3, have the id of an earlier row and other content');
  expect(stderr).toContain('2 rows have no id in column key');
  expect([...harness.service.charges.keys()]).toEqual([
    'k1',
    expect.stringMatching(/:1$/),
    expect.stringMatching(/:2$/),
  ]);
});

test('if some ids are used twice, the warning says that repeated rows are charged as often', async () => {
  const file = harness.write('twice.csv', [
    'request_id,usage_time,prompt_tokens,completion_tokens,model',
    'a,2026-09-01,1,1,m',
    'a,2026-09-01,1,1,m',
    'b,2026-09-01,2,1,m',
    'b,2026-09-01,3,1,m',
  ]);
  const { code, stderr } = await harness.import(file);
  expect(code).toBe(2);
  expect(stderr).toContain('1 rows that repeat an earlier row are charged as often');
  const { json } = await harness.import(file, '--request-id-column', 'request_id');
  expect(json).toMatchObject({ created: 2, replayed: 1, rejected: 1 });
});

test('the generated example needs no flags', async () => {
  const { stdout } = await harness.spawn('examples/generate-usage.mjs', '200').done;
  const { code, json } = await harness.import(harness.write('usage.csv', stdout));
  expect({ code, ...json }).toMatchObject({ code: 0, created: 200, rejected: 0, warnings: [] });
});
