/** Files as people have them: encodings, compression, separators, shapes, and lines that are no usage. */

import { expect, test } from '@jest/globals';
import { Readable } from 'node:stream';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { openRows } from '../../src/cli/import/open-rows.ts';
import { Unusable, type FileHints, type Row, type RowSource } from '../../src/cli/import/row.ts';

const TEXT = 'usage_time,user,tokens\n2026-09-01,Bücherei,1\n2026-09-02,名前,2\n';
const ROWS = [
  ['2026-09-01', 'Bücherei', '1'],
  ['2026-09-02', '名前', '2'],
];

async function open(content: string | Buffer, hints: FileHints = {}): Promise<RowSource & { all: Row[] }> {
  const bytes = Buffer.from(content as string);
  const chunks = Array.from({ length: Math.ceil(bytes.length / 11) }, (_, n) =>
    bytes.subarray(n * 11, n * 11 + 11),
  );
  const source = await openRows(Readable.from(chunks), hints);
  const all: Row[] = [];
  for await (const row of source.rows) all.push(row);
  return { ...source, all };
}

/** Cells of good rows, faults of the others. */
async function read(content: string | Buffer, hints?: FileHints): Promise<unknown[]> {
  return (await open(content, hints)).all.map(({ cells, fault }) => fault ?? [...cells]);
}

/** JSON rows as objects. */
async function objects(content: string, hints?: FileHints): Promise<unknown[]> {
  const { all } = await open(content, hints);
  return all.map(
    ({ columns, cells, fault }) =>
      fault ?? Object.fromEntries(columns.map((column, index) => [column, cells[index]])),
  );
}

const utf16be = (text: string) => Buffer.from(text, 'utf16le').swap16();

test.each<[string, Buffer, string | undefined]>([
  ['UTF-8', Buffer.from(TEXT), undefined],
  ['UTF-8 with a byte order mark', Buffer.from(`\ufeff${TEXT}`), undefined],
  ['UTF-8 with two byte order marks', Buffer.from(`\ufeff\ufeff${TEXT}`), undefined],
  ['UTF-16LE', Buffer.from(`\ufeff${TEXT}`, 'utf16le'), 'UTF-16LE'],
  ['UTF-16BE', utf16be(`\ufeff${TEXT}`), 'UTF-16BE'],
  ['UTF-16LE without a mark', Buffer.from(TEXT, 'utf16le'), 'UTF-16LE'],
  ['UTF-16BE without a mark', utf16be(TEXT), 'UTF-16BE'],
  ['CRLF', Buffer.from(TEXT.replaceAll('\n', '\r\n')), undefined],
  ['CR', Buffer.from(TEXT.replaceAll('\n', '\r')), 'carriage return'],
  ['gzip', gzipSync(TEXT), 'gzip'],
  ['two gzip members', Buffer.concat([gzipSync(TEXT.slice(0, 30)), gzipSync(TEXT.slice(30))]), 'gzip'],
  ['zstd', zstdCompressSync(TEXT), 'zstd'],
  ['gzip of UTF-16LE', gzipSync(Buffer.from(`\ufeff${TEXT}`, 'utf16le')), 'gzip,encoding UTF-16LE'],
])('reads %s', async (_name, bytes, note) => {
  const { all, notes } = await open(bytes);
  expect(all.map(({ cells }) => cells)).toEqual(ROWS);
  if (note === undefined) expect(notes).toEqual([]);
  else expect(notes.join()).toContain(note);
});

test.each<[string, Buffer, RegExp]>([
  [
    'Windows-1252',
    Buffer.from('a,b\nB\xfccherei,1\n', 'latin1'),
    /line 2 is not UTF-8.*iconv -f WINDOWS-1252/,
  ],
  ['Windows-1252 in the header', Buffer.from('Ben\xfctzer,b\n', 'latin1'), /line 1 is not UTF-8/],
  ['UTF-32', Buffer.from([0xff, 0xfe, 0, 0, 0x61, 0, 0, 0]), /UTF-32/],
  ['half a UTF-16 character', Buffer.from(`\ufeff${TEXT}`, 'utf16le').subarray(0, -1), /not valid UTF-16LE/],
  [
    'half a gzip archive',
    gzipSync(TEXT.repeat(99)).subarray(0, -30),
    /gzip archive is damaged or incomplete/,
  ],
  ['a damaged zstd archive', zstdCompressSync(TEXT).fill(7, 8, 20), /zstd archive is damaged/],
  ['a workbook', Buffer.from('PK\x03\x04..[Content_Types].xml'), /spreadsheet.*CSV/],
  ['a zip archive', Buffer.from('PK\x03\x04..usage.csv'), /zip archive.*unpack/],
  ['bzip2', Buffer.from('BZh91AY'), /bunzip2/],
  ['xz', Buffer.from('\xfd7zXZ\0', 'latin1'), /unxz/],
  ['Parquet', Buffer.from('PAR1....'), /Parquet/],
  ['SQLite', Buffer.from('SQLite format 3\0'), /SQLite/],
  ['PDF', Buffer.from('%PDF-1.7'), /PDF/],
  ['a web page', Buffer.from('\n<!DOCTYPE html><html>'), /web page/],
  ['a compressed tar archive', gzipSync(Buffer.alloc(512).fill('ustar', 257, 262)), /tar archive.*unpack/],
])('names %s', async (_name, bytes, message) => {
  await expect(open(bytes)).rejects.toThrow(message);
});

test('an archive that unpacks to very much is read in little memory', async () => {
  const big = gzipSync(Buffer.concat([Buffer.from('a,b\n'), Buffer.alloc(100_000_000, 'x')]));
  const before = process.memoryUsage().rss;
  expect(await read(big)).toEqual([expect.stringContaining('longer than')]);
  expect(process.memoryUsage().rss - before).toBeLessThan(80_000_000);
});

test.each<[string, string, string, FileHints?]>([
  ['semicolons', 'a;b;c\n1;0,12;x\n2;0,13;y', 'separated by semicolon'],
  ['tabs in a .csv', 'a\tb\tc\n1\t0,12\tx\n2\t0,13\ty', 'separated by tab', { format: 'csv' }],
  ['pipes', 'a|b|c\n1|0,12|x\n2|0,13|y', 'separated by pipe'],
  ['commas in a .tsv', 'a,b,c\n1,"0,12",x\n2,"0,13",y', '', { format: 'tsv' }],
  ['commas with other marks in quotes', 'a,b,c\n1,"0,12",x\n2,"0,13",y', ''],
  ['a sep= line', 'sep=;\na;b;c\n1;0,12;x\n2;0,13;y', 'separated by semicolon'],
  ['a separator that the user names', 'a^b^c\n1^0,12^x\n2^0,13^y', 'separated by "^"', { delimiter: '^' }],
])('reads %s', async (...[, text, note, hints]) => {
  const { all, notes } = await open(text, hints);
  expect(all.map(({ cells }) => cells)).toEqual([
    ['1', '0,12', 'x'],
    ['2', '0,13', 'y'],
  ]);
  expect(notes.join()).toContain(note);
});

test.each([
  ['a title', 'Usage report\n\ndate,model,tokens\n2026-09-01,m,5'],
  [
    'a title of a spreadsheet',
    'Usage report,,\nPeriod,2026-09,\n,,\ndate,model,tokens\n2026-09-01,m,5\n2026-09-02,m,6',
  ],
])('%s above the header is left out and noted', async (_name, text) => {
  const { columns, all, notes } = await open(text);
  expect(columns).toEqual(['date', 'model', 'tokens']);
  expect(all[0]).toMatchObject({
    cells: ['2026-09-01', 'm', '5'],
    line: text.split('\n').indexOf('2026-09-01,m,5') + 1,
  });
  expect(notes.join()).toContain('above it is left out');
});

test.each(['2026-09-01 10:00:00,u,m,10,5\n2026-09-01 10:00:01,u,m,11,6', '1,2,3\n4,5,6', 'm,374.5\nm,375.5'])(
  'a file without a header is refused: %j',
  async (text) => {
    await expect(open(text)).rejects.toThrow('no header');
  },
);

test.each(['', '\n\n\n', ',,\n,,\n', '\ufeff'])('an empty file has no rows: %j', async (text) => {
  expect(await open(text)).toMatchObject({ columns: [], all: [] });
});

test('headers without rows, repeated headers, columns without a name and short rows', async () => {
  expect(await open('date,model,tokens\n')).toMatchObject({ columns: ['date', 'model', 'tokens'], all: [] });
  const { all, notes } = await open(
    'date,model,tokens,\n2026-09-01,m,5,\n\ufeffdate,model,tokens,\n2026-09-02,m,6\n2026-09-03,m\n2026-09-04,m,7,,\n2026-09-05,m,8,,9',
  );
  expect(all.map(({ cells, fault }) => fault ?? cells)).toEqual([
    ['2026-09-01', 'm', '5'],
    ['2026-09-02', 'm', '6'],
    'the row has 2 cells, the header has 3',
    ['2026-09-04', 'm', '7'],
    'the row has 5 cells, the header has 3',
  ]);
  expect(notes).toEqual(['line 3 repeats the header and is left out']);
});

const SUM = expect.stringMatching(/sums? (them|up)/);
test.each<[string, string, unknown[]]>([
  ['in the column of times', 'date,user,model,in\n2026-09-01,a,m,1\nTotal,,,1', [expect.anything(), SUM]],
  [
    'in the column of models',
    'date,user,model,in\n2026-09-01,a,m,1\n,,Grand total:,1',
    [expect.anything(), SUM],
  ],
  ['of users, without times', 'user,model,in\na,m,1\nTotal,m,1', [expect.anything(), SUM]],
  ['at the top', 'date,user,model,in\nSumme,,,1\n2026-09-01,a,m,1', [SUM, expect.anything()]],
  [
    'in other languages',
    'date,user,in\n2026-09-01,a,1\nGesamt,,1\n合計,,1\nИтого,,1',
    [expect.anything(), SUM, SUM, SUM],
  ],
  [
    'with a time, but without the model',
    'date,user,model,in\n2026-09-01,a,m,1\n2026-09-30,Total,,1',
    [expect.anything(), SUM],
  ],
  [
    'with a large sum in the place of a time',
    'user,in\na,1788256800\nTotal,1788256800',
    [expect.anything(), SUM],
  ],
  ['without any word', 'user,model,in\na,m,1\n,,1', [expect.anything(), SUM]],
])('a row that sums up others is a fault: %s', async (_name, text, expected) => {
  expect(await read(text)).toEqual(expected);
});

test('a user, model or label called total is none', async () => {
  const rows = ['2026-09-01,total,m,x,1', '2026-09-01,u,Total,x,2', '1788256800,u,m,sum,3'];
  expect(await read(['date,user,model,tag,in', ...rows].join('\n'))).toEqual(
    rows.map((row) => row.split(',')),
  );
  expect(await objects('{"ts":"2026-09-01","user":"total","tokens":1}\n{"user":"total","tokens":1}')).toEqual(
    [{ ts: '2026-09-01', user: 'total', tokens: '1' }, SUM],
  );
});

const TWO = [
  { a: '9007199254740993', b: 'x,"{[' },
  { a: '1e3', b: undefined },
];
test.each<[string, string, FileHints?]>([
  ['NDJSON', '{"a":9007199254740993,"b":"x,\\"{["}\n{"a":1e3,"b":null}\n'],
  ['NDJSON in a .csv', '{"a":9007199254740993,"b":"x,\\"{["}\n{"a":1e3,"b":null}\n', { format: 'csv' }],
  ['an array', '[{"a":9007199254740993,"b":"x,\\"{["},{"a":1e3,"b":null}]'],
  ['an array over lines', '\ufeff[\n  {"a":9007199254740993,\n"b":"x,\\"{["}\n,\n{"a":1e3,"b":null}\n]\n'],
  ['objects over lines', '{\n"a":9007199254740993,\n"b":"x,\\"{["\n}\n{\n"a":1e3,"b":null}'],
])('reads %s', async (...[, text, hints]) => {
  expect(await objects(text, hints)).toEqual(TWO);
});

test('a broken value of an array costs its own row, and an array that is cut off is named', async () => {
  const { all } = await open('[{"a":1},\n{"a":x},\n7,\n{"a":2},\n{"a"');
  expect(all.map(({ line, fault }) => [line, fault])).toEqual([
    [1, undefined],
    [2, expect.stringContaining('not JSON')],
    [3, 'not a JSON object'],
    [4, undefined],
    [5, expect.stringContaining('incomplete')],
    [5, expect.stringContaining('incomplete')],
  ]);
});

test('the buckets of a usage report become rows with the time of their bucket', async () => {
  const bucket = (start: number, results: object[]) => ({ object: 'bucket', start_time: start, results });
  const result = (model: string, tokens: number) => ({ object: 'result', model, input_tokens: tokens });
  const buckets = [
    bucket(1, []),
    bucket(2, [result('m', 10), result('n', 20)]),
    bucket(3, [result('m', 30)]),
  ];
  const rows = [
    { start_time: '2', object: 'result', model: 'm', input_tokens: '10' },
    { start_time: '2', object: 'result', model: 'n', input_tokens: '20' },
    { start_time: '3', object: 'result', model: 'm', input_tokens: '30' },
  ];
  const page = JSON.stringify({ object: 'page', data: buckets, has_more: false }, null, 2);
  expect(await objects(page)).toEqual(rows.map((row) => ({ has_more: 'false', ...row })));
  expect(await objects(JSON.stringify(buckets))).toEqual(rows);
  expect(await objects(buckets.map((item) => JSON.stringify(item)).join('\n'))).toEqual(rows);
  expect((await open(page)).all[0]?.raw).toBe(JSON.stringify(result('m', 10)));
});

test('spans of OTLP become rows, and their attributes columns', async () => {
  const attribute = (key: string, value: object) => ({ key, value });
  const span = (tokens: string) => ({
    startTimeUnixNano: '1788256802123456789',
    attributes: [
      attribute('gen_ai.usage.input_tokens', { intValue: tokens }),
      attribute('gen_ai.system', { stringValue: 'openai' }),
    ],
  });
  const line = {
    resourceSpans: [{ scopeSpans: [{ spans: [span('1'), span('2')] }, { spans: [span('3')] }] }],
  };
  expect(await objects(JSON.stringify(line))).toEqual(
    ['1', '2', '3'].map((tokens) => ({
      startTimeUnixNano: '1788256802123456789',
      'attributes.gen_ai.usage.input_tokens': tokens,
      'attributes.gen_ai.system': 'openai',
    })),
  );
});

test('an array inside of a row with usage of its own stays a cell', async () => {
  const row = {
    model: 'm',
    usage: { input_tokens: 1, iterations: [{ input_tokens: 1 }] },
    messages: [{ role: 'user' }],
  };
  expect(await objects(JSON.stringify(row))).toEqual([
    {
      model: 'm',
      'usage.input_tokens': '1',
      'usage.iterations': new Unusable('an array'),
      messages: new Unusable('an array'),
    },
  ]);
});

test('where only the parts name their model, the parts are the rows, not their sum', async () => {
  const day = {
    date: '2026-09-01',
    inputTokens: 30,
    modelBreakdowns: [
      { modelName: 'm', inputTokens: 10 },
      { modelName: 'n', inputTokens: 20 },
    ],
  };
  const rows = [
    { date: '2026-09-01', modelName: 'm', inputTokens: '10' },
    { date: '2026-09-01', modelName: 'n', inputTokens: '20' },
  ];
  expect(await objects(JSON.stringify(day))).toEqual(rows);
  expect(await objects(JSON.stringify({ daily: [day], totals: { inputTokens: 30 } }, null, 1))).toEqual(rows);
});
