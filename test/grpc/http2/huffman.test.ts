/** The Huffman code of RFC 7541, Appendix B, and what is no text in it. Most codes: hpack-interop.test.ts. */

import { expect, test } from '@jest/globals';
import fc from 'fast-check';

import { HpackError } from '../../../src/grpc/http2/hpack-error.ts';
import { decodeHuffman } from '../../../src/grpc/http2/huffman.ts';

/** The codes of the control characters as Appendix B has them; no HTTP/2 client sends these. */
const CONTROLS = new Map<number, readonly [code: number, bits: number]>([
  [0, [0x1ff8, 13]],
  [1, [0x7fffd8, 23]],
  ...range(2, 8).map((symbol, i) => [symbol, [0xfffffe2 + i, 28]] as const),
  [9, [0xffffea, 24]],
  [10, [0x3ffffffc, 30]],
  [11, [0xfffffe9, 28]],
  [12, [0xfffffea, 28]],
  [13, [0x3ffffffd, 30]],
  ...range(14, 21).map((symbol, i) => [symbol, [0xfffffeb + i, 28]] as const),
  [22, [0x3ffffffe, 30]],
  ...range(23, 31).map((symbol, i) => [symbol, [0xffffff3 + i, 28]] as const),
  [127, [0xffffffc, 28]],
]);

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
}

/** Bytes of bits, padded with ones to the next byte. */
function bytes(bits: string): Buffer {
  const padded = bits.padEnd(Math.ceil(bits.length / 8) * 8, '1');
  return Buffer.from(
    Array.from({ length: padded.length / 8 }, (_, i) => parseInt(padded.slice(8 * i, 8 * i + 8), 2)),
  );
}

function codeOf(symbol: number): string {
  const [code, bits] = CONTROLS.get(symbol) ?? [0, 0];
  return code.toString(2).padStart(bits, '0');
}

function decode(block: Buffer): string {
  return decodeHuffman(block, 0, block.length);
}

/** '0' is 00000. */
const ZERO = '00000';

test('control characters, one behind the other at any place in a byte', () => {
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom(...CONTROLS.keys(), 48), { maxLength: 100, size: 'max' }),
      (symbols) => {
        const block = bytes(symbols.map((symbol) => (symbol === 48 ? ZERO : codeOf(symbol))).join(''));
        expect(decode(block)).toBe(Buffer.from(symbols).toString('latin1'));
      },
    ),
  );
});

test('a part of a block, and nothing around it', () => {
  const block = Buffer.from('00f1e3c2e5f23a6ba0ab90f4ff00', 'hex');
  expect(decodeHuffman(block, 1, 13)).toBe('www.example.com');
  expect(decodeHuffman(block, 4, 4)).toBe('');
});

test('a text longer than any that was decoded before, and a short one after it', () => {
  const long = bytes(ZERO.repeat(100_000));
  expect(decode(long)).toBe('0'.repeat(100_000));
  expect(decode(bytes(ZERO))).toBe('0');
});

test.each([1, 2, 3, 4, 5, 6, 7, 8])('padding of %i bits', (padding) => {
  const symbols = range(1, 8).find((count) => (5 * count + padding) % 8 === 0) ?? 0;
  const ended = (last: string): Buffer => bytes(ZERO.repeat(symbols) + last.padStart(padding, '1'));
  if (padding <= 7) expect(decode(ended('1'))).toBe('0'.repeat(symbols));
  else expect(() => decode(ended('1'))).toThrow(new HpackError('a Huffman text ends within a symbol'));
  expect(() => decode(ended('0'))).toThrow(new HpackError('a Huffman text ends within a symbol'));
});

test.each([
  ['nothing but padding of a byte', '11111111'],
  ['the end within a symbol', ZERO + '111' + '11111110'],
  ['padding of zeros', ZERO + '000'],
])('no text: %s', (_name, bits) => {
  expect(() => decode(bytes(bits))).toThrow(new HpackError('a Huffman text ends within a symbol'));
});

test('no text: EOS, wherever it is', () => {
  for (const before of range(0, 8)) {
    const bits = ZERO.repeat(before) + '1'.repeat(30);
    expect(() => decode(bytes(bits))).toThrow(new HpackError('a Huffman text has EOS in it'));
    expect(() => decode(bytes(bits + ZERO))).toThrow(new HpackError('a Huffman text has EOS in it'));
  }
});
