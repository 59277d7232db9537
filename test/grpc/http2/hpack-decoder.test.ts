/** What a decoder refuses, remembers and leaves out. The examples of the RFC: hpack-rfc.test.ts. */

import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { type HeaderField, HpackDecoder } from '../../../src/grpc/http2/hpack-decoder.ts';
import { encodeFields, encodeTableSizeUpdate } from '../../../src/grpc/http2/hpack-encoder.ts';
import { HpackError } from '../../../src/grpc/http2/hpack-error.ts';

function decoderOf({ tableBytesMax = 4096, listBytesMax = 8192 } = {}): HpackDecoder {
  return new HpackDecoder({ tableBytesMax, listBytesMax });
}

function bytes(...parts: readonly (number | string | Buffer)[]): Buffer {
  return Buffer.concat(
    parts.map((each) =>
      typeof each === 'number' ? Buffer.from([each]) : Buffer.from(each as string, 'latin1'),
    ),
  );
}

/** A literal with a new name that goes into the dynamic table; strings below 127 bytes. */
function indexing(name: string, value: string): Buffer {
  return bytes(0x40, name.length, name, value.length, value);
}

/** The dynamic table's field that is so many behind the newest. */
function recent(position: number): number {
  return 0x80 + 62 + position;
}

const FOREVER = Buffer.alloc(1000, 0x80);

describe('no header block', () => {
  test.each<[name: string, block: Buffer, message: string]>([
    ['index 0', bytes(0x80), 'no field has the index 0'],
    ['an index beyond the tables', bytes(recent(0)), 'no field has the index 62'],
    [
      'an index far beyond the tables',
      bytes(0xff, 0xff, 0xff, 0xff, 0x7f),
      'no field has the index 268435582',
    ],
    ['a name beyond the tables', bytes(0x7e, 1, 'v'), 'no field has the index 62'],
    ['a name beyond the tables, not indexed', bytes(0x0f, 62 - 15, 1, 'v'), 'no field has the index 62'],
    ['an index that does not end', bytes(0xff), 'an integer does not end'],
    ['an index that does not end after a byte', bytes(0xff, 0x80), 'an integer does not end'],
    ['a name index that does not end', bytes(0x0f, 0xff), 'an integer does not end'],
    ['a length that does not end', bytes(0x00, 0x7f, 0xff), 'an integer does not end'],
    ['a size that does not end', bytes(0x3f), 'an integer does not end'],
    ['an index too large', bytes(0xff, 0xff, 0xff, 0xff, 0xff, 0x01), 'an integer is too large'],
    ['a length of 2^32', bytes(0x00, 0x7f, 0x81, 0xff, 0xff, 0xff, 0x0f), 'an integer is too large'],
    ['an index of zeros without an end', bytes(0xff, FOREVER), 'an integer is too large'],
    ['a literal without a name', bytes(0x00), 'a field ends before its string'],
    ['a literal without a value', bytes(0x00, 1, 'n'), 'a field ends before its string'],
    ['a literal without a value, its name indexed', bytes(0x41), 'a field ends before its string'],
    ['a name longer than the block', bytes(0x00, 2, 'n'), 'a string of 2 bytes is longer than its block'],
    ['a value longer than the block', bytes(0x41, 3, 'ab'), 'a string of 3 bytes is longer than its block'],
    ['a Huffman text longer than the block', bytes(0x41, 0x82, 0x07), 'a string of 2 bytes is longer'],
    [
      'a table size above the limit',
      encodeTableSizeUpdate(4097),
      'a table of 4097 bytes, and 4096 are allowed',
    ],
    ['a table size behind a field', bytes(0x82, 0x20), 'a table size update behind a field'],
    ['EOS in a Huffman text', bytes(0x41, 0x84, '\xff\xff\xff\xff'), 'a Huffman text has EOS in it'],
    ['long padding', bytes(0x41, 0x82, '\x07\xff'), 'a Huffman text ends within a symbol'],
    ['padding of zeros', bytes(0x41, 0x81, '\x00'), 'a Huffman text ends within a symbol'],
  ])('%s', (_name, block, message) => {
    const decode = () => decoderOf().decode(block);
    expect(decode).toThrow(HpackError);
    expect(decode).toThrow(message);
    // Nor behind fields that are left out.
    if (block[0] !== 0x3f)
      expect(() => decoderOf({ listBytesMax: 0 }).decode(bytes(0x82, block))).toThrow(message);
  });
});

test('random blocks give fields within the limit, or an HpackError', () => {
  const valid = fc
    .array(
      fc.oneof(
        fc.tuple(fc.string({ maxLength: 8 }), fc.string({ maxLength: 60 })).map(([n, v]) => indexing(n, v)),
        fc.integer({ min: 0x81, max: 0xc8 }).map((index) => bytes(index)),
        fc.uint8Array({ maxLength: 4 }).map((each) => Buffer.from(each)),
        fc.uint8Array({ maxLength: 20 }).map((each) => bytes(0x04, 0x80 | each.length, Buffer.from(each))),
      ),
      { maxLength: 30 },
    )
    .map((parts) => bytes(...parts));
  const noise = fc.uint8Array({ maxLength: 300, size: 'max' }).map((each) => Buffer.from(each));
  const blocks = fc.array(fc.oneof(valid, noise), { maxLength: 10 });
  fc.assert(
    fc.property(blocks, fc.nat(600), fc.nat(300), (sent, listBytesMax, tableBytesMax) => {
      const decoder = decoderOf({ listBytesMax, tableBytesMax });
      try {
        for (const block of sent) {
          const { fields } = decoder.decode(block);
          const listBytes = fields.reduce((sum, [name, value]) => sum + name.length + value.length + 32, 0);
          expect(listBytes).toBeLessThanOrEqual(listBytesMax);
        }
      } catch (error) {
        if (!(error instanceof HpackError)) throw error;
      }
    }),
    { numRuns: 5000 },
  );
});

describe('the dynamic table', () => {
  test('a name out of it, also where its field makes room for the new one', () => {
    const decoder = decoderOf({ tableBytesMax: 50 });
    decoder.decode(indexing('name', 'first'));
    const list = decoder.decode(bytes(0x40 | 62, 6, 'second', recent(0)));
    expect(list.fields).toEqual([
      ['name', 'second'],
      ['name', 'second'],
    ]);
    expect(() => decoder.decode(bytes(recent(1)))).toThrow(HpackError);
  });

  test('literals that are not indexed are not in it', () => {
    const decoder = decoderOf();
    decoder.decode(bytes(0x00, 1, 'a', 1, 'b', 0x10, 1, 'c', 1, 'd'));
    expect(() => decoder.decode(bytes(recent(0)))).toThrow('no field has the index 62');
  });

  test('size updates at the start of a block, several of them too', () => {
    const decoder = decoderOf();
    decoder.decode(bytes(indexing('a', '1'), indexing('b', '2')));
    const list = decoder.decode(bytes(encodeTableSizeUpdate(34), encodeTableSizeUpdate(4096), recent(0)));
    expect(list.fields).toEqual([['b', '2']]);
    expect(() => decoder.decode(bytes(recent(1)))).toThrow(HpackError);
  });

  test('a lower limit is confirmed by the next block, and kept', () => {
    const lowered = (): HpackDecoder => {
      const decoder = decoderOf();
      decoder.decode(bytes(indexing('a', '1'), indexing('b', '2')));
      decoder.decode(bytes(0x82));
      decoder.limitTable(40);
      return decoder;
    };
    expect(() => lowered().decode(bytes(0x82))).toThrow('no table size update where the limit was lowered');
    expect(() => lowered().decode(encodeTableSizeUpdate(41))).toThrow(
      'a table of 41 bytes, and 40 are allowed',
    );
    const decoder = lowered();
    const list = decoder.decode(bytes(encodeTableSizeUpdate(40), recent(0)));
    expect(list.fields).toEqual([['b', '2']]);
    expect(() => decoder.decode(bytes(recent(1)))).toThrow(HpackError);
  });
});

describe('the last block', () => {
  test.each([0, 1, 10, 32, 33, 100, 512])('is not decoded again: %i bytes', (length) => {
    const decoder = decoderOf({ listBytesMax: 1e6 });
    decoder.decode(bytes(0x83));
    const block = Buffer.alloc(length, 0x82);
    const list = decoder.decode(block);
    expect(list.fields).toHaveLength(length);
    const copy = Buffer.from(block);
    // The memory of the first belongs to a socket.
    block.fill(0x83);
    expect(decoder.decode(copy)).toBe(list);
  });

  test.each([1, 10, 32, 33, 100, 512])('differs in any byte: %i bytes', (length) => {
    const decoder = decoderOf({ listBytesMax: 1e6 });
    for (const position of Array(length).keys()) {
      decoder.decode(Buffer.alloc(length, 0x82));
      const other = Buffer.alloc(length, 0x82);
      other[position] = 0x83;
      expect(decoder.decode(other).fields[position]).toEqual([':method', 'POST']);
      expect(decoder.decode(other.subarray(1)).fields).toHaveLength(length - 1);
    }
  });

  test('is not remembered where it is long', () => {
    const decoder = decoderOf({ listBytesMax: 1e6 });
    const block = Buffer.alloc(513, 0x82);
    const list = decoder.decode(block);
    expect(decoder.decode(block)).not.toBe(list);
    expect(decoder.decode(block)).toEqual(list);
  });

  test('means other fields once the table has changed', () => {
    const decoder = decoderOf();
    const block = bytes(recent(0));
    decoder.decode(indexing('a', '1'));
    expect(decoder.decode(block).fields).toEqual([['a', '1']]);
    decoder.decode(indexing('b', '2'));
    expect(decoder.decode(block).fields).toEqual([['b', '2']]);
    decoder.decode(encodeTableSizeUpdate(0));
    expect(() => decoder.decode(block)).toThrow(HpackError);
  });

  test('is taken as new where it changes the table itself', () => {
    const decoder = decoderOf();
    const block = indexing('a', '1');
    expect(decoder.decode(block)).not.toBe(decoder.decode(block));
    expect(decoder.decode(bytes(recent(0), recent(1))).fields).toHaveLength(2);
    const update = bytes(encodeTableSizeUpdate(4096), 0x82);
    expect(decoder.decode(update)).not.toBe(decoder.decode(update));
  });
});

describe('a list above the limit', () => {
  const field: HeaderField = ['name', 'value'];

  test('keeps what fits, to the byte', () => {
    const block = encodeFields([field, field, field]);
    expect(decoderOf({ listBytesMax: 3 * 41 }).decode(block)).toEqual({
      fields: [field, field, field],
      tooLarge: false,
    });
    expect(decoderOf({ listBytesMax: 3 * 41 - 1 }).decode(block)).toEqual({
      fields: [field, field],
      tooLarge: true,
    });
  });

  test('has nothing behind what does not fit', () => {
    const block = encodeFields([field, ['name', 'v'.repeat(50)], ['', '']]);
    expect(decoderOf({ listBytesMax: 100 }).decode(block)).toEqual({ fields: [field], tooLarge: true });
  });

  test('keeps the table in step', () => {
    const decoder = decoderOf({ listBytesMax: 100 });
    const block = bytes(indexing('a', '1'), indexing('b', 'v'.repeat(100)), indexing('c', '3'));
    expect(decoder.decode(block)).toEqual({ fields: [['a', '1']], tooLarge: true });
    expect(decoder.decode(bytes(recent(0), recent(2))).fields).toEqual([
      ['c', '3'],
      ['a', '1'],
    ]);
  });

  test('is not multiplied by indexes', () => {
    const decoder = decoderOf();
    decoder.decode(indexing('a', 'v'.repeat(100)));
    const { fields, tooLarge } = decoder.decode(Buffer.alloc(100_000, recent(0)));
    expect(tooLarge).toBe(true);
    expect(fields).toHaveLength(Math.floor(8192 / 133));
  });
});
