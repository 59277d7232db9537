/** The examples of RFC 7541, Appendix C, and the part of Appendix A that no client sends. */

import { expect, test } from '@jest/globals';

import { type HeaderField, HpackDecoder } from '../../../src/grpc/http2/hpack-decoder.ts';
import { encodeTableSizeUpdate } from '../../../src/grpc/http2/hpack-encoder.ts';

const LIST_BYTES_MAX = 8192;

function bytes(hex: string): Buffer {
  return Buffer.from(hex.replaceAll(' ', ''), 'hex');
}

/** The table from its newest field, by a block of nothing but indexes. */
function expectTable(decoder: HpackDecoder, fields: readonly HeaderField[]): void {
  const indexes = Buffer.from(fields.map((_, position) => 0x80 + 62 + position));
  expect(decoder.decode(indexes).fields).toEqual(fields);
}

/** The decoder is of no use any more. */
function expectNoFieldBehind(decoder: HpackDecoder, fields: readonly HeaderField[]): void {
  const beyond = Buffer.from([0x80 + 62 + fields.length]);
  expect(() => decoder.decode(beyond)).toThrow(`no field has the index ${62 + fields.length}`);
}

test('C.1 integers', () => {
  expect(encodeTableSizeUpdate(10)).toEqual(bytes('2a'));
  expect(encodeTableSizeUpdate(1337)).toEqual(bytes('3f 9a 0a'));
  const decoder = (tableBytesMax: number) =>
    new HpackDecoder({ tableBytesMax, listBytesMax: LIST_BYTES_MAX });
  for (const [hex, value] of [
    ['2a', 10],
    ['3f 9a 0a', 1337],
  ] as const) {
    expect(decoder(value).decode(bytes(hex)).fields).toEqual([]);
    expect(() => decoder(value - 1).decode(bytes(hex))).toThrow(`a table of ${value} bytes`);
  }
});

test.each<[name: string, hex: string, field: HeaderField, indexed: boolean]>([
  [
    'C.2.1',
    '400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572',
    ['custom-key', 'custom-header'],
    true,
  ],
  ['C.2.2', '040c 2f73 616d 706c 652f 7061 7468', [':path', '/sample/path'], false],
  ['C.2.3', '1008 7061 7373 776f 7264 0673 6563 7265 74', ['password', 'secret'], false],
  ['C.2.4', '82', [':method', 'GET'], false],
])('%s', (_name, hex, field, indexed) => {
  const decoder = new HpackDecoder({ tableBytesMax: 4096, listBytesMax: LIST_BYTES_MAX });
  expect(decoder.decode(bytes(hex))).toEqual({ fields: [field], tooLarge: false });
  const table = indexed ? [field] : [];
  expectTable(decoder, table);
  expectNoFieldBehind(decoder, table);
});

const GET: HeaderField = [':method', 'GET'];
const AUTHORITY: HeaderField = [':authority', 'www.example.com'];
const NO_CACHE: HeaderField = ['cache-control', 'no-cache'];
const CUSTOM: HeaderField = ['custom-key', 'custom-value'];
const REQUESTS = [
  { fields: [GET, [':scheme', 'http'], [':path', '/'], AUTHORITY], table: [AUTHORITY] },
  {
    fields: [GET, [':scheme', 'http'], [':path', '/'], AUTHORITY, NO_CACHE],
    table: [NO_CACHE, AUTHORITY],
  },
  {
    fields: [GET, [':scheme', 'https'], [':path', '/index.html'], AUTHORITY, CUSTOM],
    table: [CUSTOM, NO_CACHE, AUTHORITY],
  },
] as const;

const PRIVATE: HeaderField = ['cache-control', 'private'];
const LOCATION: HeaderField = ['location', 'https://www.example.com'];
const DATE: HeaderField = ['date', 'Mon, 21 Oct 2013 20:13:21 GMT'];
const DATE_AFTER: HeaderField = ['date', 'Mon, 21 Oct 2013 20:13:22 GMT'];
const GZIP: HeaderField = ['content-encoding', 'gzip'];
const COOKIE: HeaderField = ['set-cookie', 'foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1'];
const RESPONSES = [
  {
    fields: [[':status', '302'], PRIVATE, DATE, LOCATION],
    table: [LOCATION, DATE, PRIVATE, [':status', '302']],
  },
  {
    fields: [[':status', '307'], PRIVATE, DATE, LOCATION],
    table: [[':status', '307'], LOCATION, DATE, PRIVATE],
  },
  {
    fields: [[':status', '200'], PRIVATE, DATE_AFTER, LOCATION, GZIP, COOKIE],
    table: [COOKIE, GZIP, DATE_AFTER],
  },
] as const;

test.each([
  [
    'C.3 requests',
    REQUESTS,
    4096,
    [
      '8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d',
      '8286 84be 5808 6e6f 2d63 6163 6865',
      '8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65',
    ],
  ],
  [
    'C.4 requests with Huffman codes',
    REQUESTS,
    4096,
    [
      '8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff',
      '8286 84be 5886 a8eb 1064 9cbf',
      '8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf',
    ],
  ],
  [
    'C.5 responses',
    RESPONSES,
    256,
    [
      `4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133
       2032 303a 3133 3a32 3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d`,
      '4803 3330 37c1 c0bf',
      `88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a
       6970 7738 666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d
       6178 2d61 6765 3d33 3630 303b 2076 6572 7369 6f6e 3d31`,
    ],
  ],
  [
    'C.6 responses with Huffman codes',
    RESPONSES,
    256,
    [
      `4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d
       29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3`,
      '4883 640e ffc1 c0bf',
      `88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d
       d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106
       3d50 07`,
    ],
  ],
] as const)('%s', (_name, messages, tableBytesMax, blocks) => {
  const decoder = new HpackDecoder({ tableBytesMax, listBytesMax: LIST_BYTES_MAX });
  for (const [index, { fields, table }] of messages.entries()) {
    const block = bytes((blocks[index] ?? '').replaceAll(/\s/g, ''));
    expect(decoder.decode(block)).toEqual({ fields, tooLarge: false });
    expectTable(decoder, table);
  }
  expectNoFieldBehind(decoder, messages[2].table);
});

test('A indexes of responses', () => {
  const decoder = new HpackDecoder({ tableBytesMax: 4096, listBytesMax: LIST_BYTES_MAX });
  const { fields } = decoder.decode(bytes('88 89 8a 8b 8c 8d 8e b9'));
  expect(fields.map(([name]) => name)).toEqual([...Array<string>(7).fill(':status'), 'transfer-encoding']);
  expect(fields.map(([, value]) => value)).toEqual(['200', '204', '206', '304', '400', '404', '500', '']);
});
