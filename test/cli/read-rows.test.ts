import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Readable } from 'node:stream';
import { openRows } from '../../src/cli/import/open-rows.ts';
import { LINE_BYTES_MAX } from '../../src/cli/import/read-lines.ts';
import { Unusable, type Format, type Row } from '../../src/cli/import/row.ts';

function chunks(bytes: Buffer, size: number): Readable {
  const count = Math.ceil(bytes.length / size);
  return Readable.from(
    Array.from({ length: count }, (_, index) => bytes.subarray(index * size, (index + 1) * size)),
  );
}

async function read(text: string | Buffer, format: Format = 'csv', chunkBytes = 7): Promise<Row[]> {
  const source = await openRows(chunks(Buffer.from(text), chunkBytes), { format });
  const rows: Row[] = [];
  for await (const row of source.rows) rows.push(row);
  return rows;
}

const short = (rows: Row[]) =>
  rows.map(({ line, cells, fault }) => (fault === undefined ? [line, ...cells] : [line, fault]));

test('CRLF, a byte order mark and a missing last line end change nothing', async () => {
  const expected = [
    [2, '1', 'x'],
    [3, '2', 'y'],
  ];
  for (const text of [
    'a,b\n1,x\n2,y\n',
    'a,b\r\n1,x\r\n2,y',
    '\ufeffa,b\n1,x\n2,y',
    '\ufeffa,b\r\n1,x\r\n2,y\r\n',
  ]) {
    for (const chunkBytes of [1, 2, 3, 1000]) {
      const rows = await read(text, 'csv', chunkBytes);
      expect(short(rows)).toEqual(expected);
      expect(rows[0]?.columns).toEqual(['a', 'b']);
      expect(rows[1]?.endOffset).toBe(Buffer.byteLength(text));
    }
  }
});

test('row numbers are lines of the file, also after blank lines and after cells with several lines', async () => {
  expect(short(await read('a,b\n\n"1\n1",x\n\n2,y'))).toEqual([
    [3, '1\n1', 'x'],
    [6, '2', 'y'],
  ]);
});

test('a wrong number of cells is a fault of that row alone', async () => {
  expect(short(await read('a,b\n1\n2,x,3\n3,y'))).toEqual([
    [2, 'the row has 1 cells, the header has 2'],
    [3, 'the row has 3 cells, the header has 2'],
    [4, '3', 'y'],
  ]);
});

test.each([
  [
    '1,"x\n2,y\n3,z',
    [
      [2, 'a quote is opened and not closed'],
      [3, '2', 'y'],
      [4, '3', 'z'],
    ],
  ],
  [
    '1,"x"y\n2,y',
    [
      [2, expect.stringContaining('broken quotes')],
      [3, '2', 'y'],
    ],
  ],
  [
    '1,5" x\n2,y\n3,6" z\n4,w',
    [
      [2, expect.stringContaining('quote')],
      [3, '2', 'y'],
      [4, expect.stringContaining('quote')],
      [5, '4', 'w'],
    ],
  ],
])('a broken quote costs its own row only: %j', async (body, expected) => {
  expect(short(await read(`a,b\n${body}`))).toEqual(expected);
});

test('a quote that is never closed does not take in the rest of the file', async () => {
  const body = Array.from({ length: 5000 }, (_, index) => `${index},x`).join('\n');
  const rows = await read(`a,b\n"oops,x\n${body}`, 'csv', 65_536);
  expect(rows).toHaveLength(5001);
  expect(rows.filter(({ fault }) => fault !== undefined).map(({ line }) => line)).toEqual([2]);
});

test('bytes that are not UTF-8 and over-long lines are faults, not changed texts', async () => {
  const bytes = Buffer.concat([
    Buffer.from('a,b\n0,é\n1,'),
    Buffer.from([0xff]),
    Buffer.from(`\n2,${'x'.repeat(LINE_BYTES_MAX)}\n3,y\n4,\0`),
  ]);
  expect(short(await read(bytes, 'csv', 65_536))).toEqual([
    [2, '0', 'é'],
    [3, 'the line is not valid UTF-8'],
    [4, `the line is longer than ${LINE_BYTES_MAX} bytes`],
    [5, '3', 'y'],
    [6, expect.stringContaining('NUL')],
  ]);
});

test('a header with the same name twice is refused', async () => {
  await expect(read('a,b,a\n1,2,3')).rejects.toThrow('same name: a');
});

test('rows of empty cells are left out, and cells at the end may be empty', async () => {
  expect(short(await read('a\tb\n\t\n1\t\n\t2', 'tsv'))).toEqual([
    [3, '1', ''],
    [4, '', '2'],
  ]);
});

test('whatever is written as CSV is read back', async () => {
  const cell = fc.string({ unit: fc.constantFrom('a', ',', '"', '\n', ' ', 'é') });
  const row = fc.tuple(fc.constant('b'), cell, cell);
  const write = (cells: string[]) => cells.map((text) => `"${text.replaceAll('"', '""')}"`).join(',');
  await fc.assert(
    fc.asyncProperty(
      fc.array(row, { maxLength: 5 }),
      fc.integer({ min: 1, max: 20 }),
      async (rows, chunkBytes) => {
        const text = ['x,y,z', ...rows.map(write)].join('\n');
        const result = await read(text, 'csv', chunkBytes);
        expect(result.map(({ cells, fault }) => fault ?? cells)).toEqual(rows);
      },
    ),
  );
});

test('every line of any text is accounted for once', async () => {
  const text = fc.string({ unit: fc.constantFrom('a', ',', '"', '\n', '\r\n'), maxLength: 60 });
  await fc.assert(
    fc.asyncProperty(text, async (body) => {
      // So many rows that the header is never taken for a title.
      const rows = (await read(`x,y\n${'1,1\n'.repeat(50)}${body}`)).slice(50);
      const raws = rows.map(({ raw }) => raw).join('\n');
      const lines = body.split('\n').map((line) => line.replace(/\r$/, ''));
      // Lines without a filled cell aside, the rows together are the file.
      const isFilled = (line: string) => /[^,"]/.test(line);
      expect(raws.split('\n').filter(isFilled)).toEqual(lines.filter(isFilled));
    }),
  );
});

test('NDJSON keeps the digits of numbers and makes columns of nested values', async () => {
  const [row] = await read(
    '{"tokens":9007199254740993,"usage":{"in":1e3},"labels":{"a.b":"c"},"x":null,"y":[1],"z":true}',
    'ndjson',
  );
  expect(row?.columns).toEqual(['tokens', 'usage.in', 'labels.a.b', 'x', 'y', 'z']);
  expect(row?.cells).toEqual(['9007199254740993', '1e3', 'c', undefined, new Unusable('an array'), 'true']);
});

test('NDJSON lines that are no objects are faults of their own', async () => {
  const rows = await read('{"a":1}\n\n[1]\n{"a":\n7\r\n{"a":2}', 'ndjson');
  expect(rows.map(({ line, fault }) => [line, fault === undefined])).toEqual([
    [1, true],
    [3, false],
    [4, false],
    [5, false],
    [6, true],
  ]);
});
