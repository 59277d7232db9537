/** What is encoded is decoded to the same fields, and no table is touched. */

import { expect, test } from '@jest/globals';
import fc from 'fast-check';

import { type HeaderField, HpackDecoder } from '../../../src/grpc/http2/hpack-decoder.ts';
import { encodeFields, encodeTableSizeUpdate } from '../../../src/grpc/http2/hpack-encoder.ts';
import { STATIC_FIELDS } from '../../../src/grpc/http2/hpack-tables.ts';

const latin1 = (maxLength: number) =>
  fc
    .uint8Array({ maxLength, size: 'max' })
    .map((each) => Buffer.from(each.buffer, each.byteOffset, each.length).toString('latin1'));
const staticField = fc.constantFrom(...STATIC_FIELDS);
const field = fc.oneof(
  fc.tuple(latin1(300), latin1(600)),
  staticField,
  fc.tuple(
    staticField.map(([name]) => name),
    latin1(20),
  ),
);

test('any fields come back as they were, in their order', () => {
  const decoder = new HpackDecoder({ tableBytesMax: 4096, listBytesMax: 1e9 });
  fc.assert(
    fc.property(fc.array(field, { maxLength: 30 }), (fields) => {
      expect(decoder.decode(encodeFields(fields))).toEqual({ fields, tooLarge: false });
    }),
  );
  expect(() => decoder.decode(Buffer.from([0x80 + 62]))).toThrow('no field has the index 62');
});

test.each([0, 1, 126, 127, 128, 254, 255, 16_510, 16_511, 100_000, 3_000_000])(
  'names and values of %i bytes',
  (length) => {
    const decoder = new HpackDecoder({ tableBytesMax: 4096, listBytesMax: 1e9 });
    const fields: HeaderField[] = [
      ['n'.repeat(length), '\xff'.repeat(length)],
      ['a', 'b'],
    ];
    expect(decoder.decode(encodeFields(fields)).fields).toEqual(fields);
  },
);

test('the static table serves for names, and for whole fields', () => {
  const fields: HeaderField[] = [
    [':status', '200'],
    [':status', '418'],
    ['content-type', 'a'],
    ['grpc-status', '0'],
  ];
  const block = Buffer.concat([
    Buffer.from([0x88, 0x08, 3, ...Buffer.from('418'), 0x0f, 31 - 15, 1, ...Buffer.from('a')]),
    Buffer.from([0, 11, ...Buffer.from('grpc-status'), 1, ...Buffer.from('0')]),
  ]);
  expect(encodeFields(fields)).toEqual(block);
  for (const [position, each] of STATIC_FIELDS.entries()) {
    expect(encodeFields([each])).toEqual(Buffer.from([0x81 + position]));
  }
  expect(encodeFields([])).toHaveLength(0);
});

test('a table size is taken for what it is', () => {
  fc.assert(
    fc.property(fc.nat(2 ** 28), (sizeBytes) => {
      const limits = (tableBytesMax: number) => ({ tableBytesMax, listBytesMax: 0 });
      const update = encodeTableSizeUpdate(sizeBytes);
      expect(new HpackDecoder(limits(sizeBytes)).decode(update).fields).toEqual([]);
      expect(() => new HpackDecoder(limits(sizeBytes - 1)).decode(update)).toThrow(
        `a table of ${sizeBytes} bytes`,
      );
    }),
  );
  expect(encodeTableSizeUpdate(2 ** 32 - 1)).toEqual(Buffer.from([0x3f, 0xe0, 0xff, 0xff, 0xff, 0x0f]));
});
