/** Header blocks that leave the receiver's dynamic table as it is (RFC 7541). */

import { type HeaderField, STATIC_FIELDS } from './hpack-tables.ts';

interface StaticName {
  readonly index: number;
  /** The index of each value that the static table has with the name. */
  readonly values: Map<string, number>;
}

const STATIC_NAMES = new Map<string, StaticName>();
for (const [position, [name, value]] of STATIC_FIELDS.entries()) {
  const index = position + 1;
  const known = STATIC_NAMES.get(name) ?? { index, values: new Map<string, number>() };
  STATIC_NAMES.set(name, known);
  known.values.set(value, index);
}

const INDEXED = 0x80;
const INDEXED_PREFIX_BITS = 7;
const LITERAL = 0x00;
const LITERAL_PREFIX_BITS = 4;
const SIZE_UPDATE = 0x20;
const SIZE_UPDATE_PREFIX_BITS = 5;
const PLAIN_STRING = 0x00;
const LENGTH_PREFIX_BITS = 7;

/** Of any integer below 2^32, prefix and all. */
const INTEGER_BYTES_MAX = 6;

/** A header block of fields, in their order; names in lower case, and all of it latin1. */
export function encodeFields(fields: readonly HeaderField[]): Buffer {
  let bytesMax = 0;
  for (const [name, value] of fields) bytesMax += 3 * INTEGER_BYTES_MAX + name.length + value.length;
  const block = Buffer.allocUnsafe(bytesMax);
  let end = 0;
  for (const [name, value] of fields) {
    const known = STATIC_NAMES.get(name);
    const index = known?.values.get(value);
    if (index !== undefined) {
      end = writeInteger(block, end, INDEXED, INDEXED_PREFIX_BITS, index);
      continue;
    }
    end = writeInteger(block, end, LITERAL, LITERAL_PREFIX_BITS, known?.index ?? 0);
    if (known === undefined) end = writeString(block, end, name);
    end = writeString(block, end, value);
  }
  return block.subarray(0, end);
}

/** What a header block starts with after the receiver has lowered the limit of its dynamic table. */
export function encodeTableSizeUpdate(sizeBytes: number): Buffer {
  const update = Buffer.allocUnsafe(INTEGER_BYTES_MAX);
  return update.subarray(0, writeInteger(update, 0, SIZE_UPDATE, SIZE_UPDATE_PREFIX_BITS, sizeBytes));
}

function writeString(block: Buffer, position: number, text: string): number {
  const start = writeInteger(block, position, PLAIN_STRING, LENGTH_PREFIX_BITS, text.length);
  return start + block.write(text, start, 'latin1');
}

/** Returns where the integer ends; `first` has the bits above its prefix. */
function writeInteger(
  block: Buffer,
  position: number,
  first: number,
  prefixBits: number,
  value: number,
): number {
  const prefixMax = (1 << prefixBits) - 1;
  if (value < prefixMax) {
    block[position] = first | value;
    return position + 1;
  }
  block[position++] = first | prefixMax;
  let rest = value - prefixMax;
  for (; rest >= 0x80; rest >>>= 7) block[position++] = (rest & 0x7f) | 0x80;
  block[position++] = rest;
  return position;
}
