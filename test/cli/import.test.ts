/** What an import does with a file, and what it reports. */

import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { appendFileSync, existsSync, readFileSync, renameSync } from 'node:fs';
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
  expect((await harness.run(file)).json).toMatchObject({ created: 0, replayed: 300 });
  const renamed = join(harness.folder, 'other.csv');
  renameSync(file, renamed);
  expect((await harness.run(renamed)).json).toMatchObject({
    created: 0,
    replayed: 300,
    prompt_tokens: '45150',
  });
  expect(harness.service.charges.size).toBe(300);
});

test('CRLF, a byte order mark and a missing last line end give the same charges', async () => {
  await harness.run(harness.write('a.csv', `${usage(20).join('\n')}\n`));
  expect((await harness.run(harness.write('b.csv', `\ufeff${usage(20).join('\r\n')}`))).json).toMatchObject({
    replayed: 20,
    created: 0,
  });
});

test('of a file that has grown, only the new rows are added', async () => {
  const file = harness.write('usage.csv', usage(10));
  await harness.run(file);
  appendFileSync(file, `\n${usage(15).slice(11).join('\n')}`);
  expect((await harness.run(file)).json).toMatchObject({ created: 5, replayed: 10 });
});

test('a file with the same name and another first row is another file', async () => {
  await harness.run(harness.write('usage.csv', usageOf('2024-01-01,a,1,1,m', '2024-01-01,a,1,1,m')));
  expect(
    (await harness.run(harness.write('usage.csv', usageOf('2024-02-01,a,1,1,m', '2024-01-01,a,1,1,m')))).json,
  ).toMatchObject({
    created: 2,
  });
});

test('files with the same beginning need --source-name', async () => {
  const file = harness.write('usage.csv', usage(3));
  await harness.run(file);
  expect((await harness.run(file, '--source-name', 'second')).json).toMatchObject({ created: 3 });
  expect((await harness.run(file, '--source-name', 'second')).json).toMatchObject({ replayed: 3 });
});

test('rejected rows are reported with line and reason, and can be corrected in place and imported again', async () => {
  const bad = [
    '2024-01-01,ann,1.234,5,m',
    '2024-01-01,,3,5,m',
    'yesterday,ann,1,,m',
    '2024-01-01,ann,1',
    '2024-01-01,"ann,1,2,m',
  ];
  const file = harness.write('usage.csv', [...usage(2), ...bad, '2024-01-01,ann,7,7,m']);
  const first = await harness.run(file);
  expect(first).toMatchObject({ code: 1, json: { status: 'rejected', rows: 8, created: 3, rejected: 5 } });
  expect(first.stderr).toContain('row 4 rejected: prompt_tokens "1.234" could mean 1234 or a fraction');
  const path = `${file}.rejects.ndjson`;
  expect(rejectsOf(path)).toMatchObject([
    { row: 4, code: 'INVALID_VALUE', raw: bad[0], violations: [{ field: 'charge.prompt_tokens' }] },
    {
      row: 5,
      code: 'VALIDATION_FAILED',
      raw: bad[1],
      request_id: expect.stringMatching(/^import:[0-9a-f]{16}:5$/),
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
  harness.write('usage.csv', readFileSync(file, 'utf8').replace('1.234', '1000'));
  expect((await harness.run(file)).json).toMatchObject({ created: 1, replayed: 3, rejected: 4 });
  expect(rejectsOf(path).map(({ row }) => row)).toEqual([5, 6, 7, 8]);
});

test('a stored row that was changed is rejected, and the reason names the field', async () => {
  const file = harness.write('usage.csv', usage(3));
  await harness.run(file);
  const second = await harness.run(file, '--set', 'model=other');
  expect(second).toMatchObject({ code: 1, json: { created: 0, replayed: 0, rejected: 3 } });
  expect(second.stderr).toContain('field: model');
  expect(rejectsOf(`${file}.rejects.ndjson`)[0]).toMatchObject({ row: 2, code: 'REQUEST_ID_REUSED' });
});

test('after a correction of the first row, --file-id keeps the identity of the file', async () => {
  const file = harness.write('usage.csv', usageOf('2024-01-01,a,x,1,m', '2024-01-01,b,1,1,m'));
  const first = await harness.run(file);
  expect(String(first.json['hints'])).toContain('--file-id');
  harness.write('usage.csv', usageOf('2024-01-01,a,1,1,m', '2024-01-01,b,1,1,m'));
  expect((await harness.run(file, '--file-id', String(first.json['file_id']))).json).toMatchObject({
    created: 1,
    replayed: 1,
  });
});

test('the reject file of another file is kept, and no other file is overwritten', async () => {
  const rejects = join(harness.folder, 'r.ndjson');
  await harness.run(harness.write('a.csv', usageOf('2024-01-01,a,x,1,m')), '--rejects', rejects);
  await harness.run(harness.write('b.csv', usageOf('2024-01-01,b,y,1,m')), '--rejects', rejects);
  expect(rejectsOf(rejects)[0]?.['raw']).toContain(',b,');
  expect(rejectsOf(`${rejects}.1`)[0]?.['raw']).toContain(',a,');
  const own = harness.write('own.txt', 'mine');
  expect(await harness.run(harness.write('c.csv', usage(1)), '--rejects', own)).toMatchObject({ code: 2 });
  expect(readFileSync(own, 'utf8')).toBe('mine');
});

test('no reject file is made when nothing was rejected', async () => {
  const file = harness.write('usage.csv', usage(3));
  await harness.run(file);
  expect(existsSync(`${file}.rejects.ndjson`)).toBe(false);
  expect(existsSync(`${file}.rejects.ndjson.partial`)).toBe(false);
});

test('NDJSON has columns or charges in proto3 JSON, and keeps large integers', async () => {
  const lines = [
    '{"userProfile":"a","provider":"PROVIDER_OPENAI","chargeType":"CHARGE_TYPE_COMPLETION","promptTokens":"9007199254740993","model":"m","labels":{"team":"x"},"tokenDetails":{"cacheReadTokens":"5"},"usageTime":"2024-01-01T00:00:00.123456789Z","id":"ignored"}',
    '{"user_profile":"b","provider":"openai","charge_type":"completion","prompt_tokens":9007199254740993,"completion_tokens":1,"model":"m","usage_time":1704067200}',
    '{"user_profile":"c","provider":"openai","charge_type":"completion","prompt_tokens":1.5,"model":"m","usage_time":1704067200}',
    'not json',
  ];
  const { json } = await harness.run(harness.write('usage.ndjson', lines));
  expect(json).toMatchObject({ created: 2, rejected: 2, prompt_tokens: String(2n * 9007199254740993n) });
  const first = [...harness.service.charges.values()].find(({ userProfile }) => userProfile === 'a');
  expect(first).toMatchObject({ tokenDetails: { cacheReadTokens: 5n }, usageTime: { nanos: 123_456_789 } });
  expect([...(first?.labels ?? [])]).toEqual([['team', 'x']]);
});

test('--request-id-column uses the request ids of the file, in the order of the file', async () => {
  const rows = [
    'key,time,user,tokens',
    'k1,2024-01-01,a,1',
    'k1,2024-01-01,a,2',
    'k1,2024-01-01,a,1',
    ',2024-01-01,a,1',
  ];
  const { json } = await harness.run(
    harness.write('usage.csv', rows),
    '--request-id-column',
    'key',
    '--streams',
    '8',
  );
  expect(json).toMatchObject({ created: 1, replayed: 1, rejected: 2 });
  expect([...harness.service.charges.keys()]).toEqual(['k1']);
  expect(harness.service.charges.get('k1')?.totalTokens).toBe(1n);
});

test('columns without a field are named, or become labels with --labels', async () => {
  const file = harness.write('usage.csv', ['time,tokens,region', '2024-01-01,5,eu']);
  const plain = await harness.run(file);
  expect(plain.stderr).toContain('not recorded: region');
  expect(String(plain.json['warnings'])).toContain('region');
  await harness.run(file, '--labels', '--source-name', 'again');
  expect([...harness.service.charges.values()].map(({ labels }) => [...labels])).toEqual([
    [],
    [['region', 'eu']],
  ]);
});

test('the generated example needs no flags', async () => {
  const { stdout } = await harness.spawn('examples/generate-usage.mjs', '200').done;
  const { code, json } = await harness.run(harness.write('usage.csv', stdout));
  expect({ code, ...json }).toMatchObject({ code: 0, created: 200, rejected: 0, warnings: [] });
});
