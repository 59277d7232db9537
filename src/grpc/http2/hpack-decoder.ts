/** Header fields out of the header blocks of one connection (RFC 7541). */

import { HpackError } from './hpack-error.ts';
import { DynamicTable, fieldBytes, type HeaderField, STATIC_FIELDS } from './hpack-tables.ts';
import { decodeHuffman } from './huffman.ts';

export type { HeaderField } from './hpack-tables.ts';

/** What a header block says. */
export interface HeaderList {
  readonly fields: readonly HeaderField[];
  /** The fields are more than the limit; what is beyond it is left out. */
  readonly tooLarge: boolean;
}

/** The limits of a decoder. */
export interface HpackLimits {
  /** Of the dynamic table: what SETTINGS_HEADER_TABLE_SIZE allows the sender, 4096 until it knows better. */
  readonly tableBytesMax: number;
  /** Of a header list: names and values, and 32 bytes for each field. */
  readonly listBytesMax: number;
}

/** The first bits of a field say what it is; the rest of the byte is the prefix of an integer. */
const INDEXED = 0x80;
const INDEXED_PREFIX_BITS = 7;
const LITERAL_TO_INDEX = 0x40;
const LITERAL_TO_INDEX_PREFIX_BITS = 6;
const SIZE_UPDATE = 0x20;
const SIZE_UPDATE_PREFIX_BITS = 5;
const LITERAL_PREFIX_BITS = 4;

const HUFFMAN = 0x80;
const LENGTH_PREFIX_BITS = 7;

/** The last shift of a seven-bit group: integers go up to about 2^28, whatever zeros they are padded with. */
const INTEGER_SHIFT_MAX = 21;

/** A longer block is not remembered. */
const REMEMBERED_BYTES_MAX = 512;
/** Up to here a loop takes less time than the call of a native comparison. */
const LOOP_BYTES_MAX = 32;
const NOTHING: HeaderList = { fields: [], tooLarge: false };

/** Keeps step with the compression of one connection: it is to see each header block, in order. */
export class HpackDecoder {
  readonly #table: DynamicTable;
  readonly #listBytesMax: number;
  #position = 0;
  /** The last block, where it would be decoded to the same list again. */
  readonly #lastBlock = Buffer.allocUnsafeSlow(REMEMBERED_BYTES_MAX);
  #lastLength = 0;
  #lastList = NOTHING;

  constructor(limits: HpackLimits) {
    this.#table = new DynamicTable(limits.tableBytesMax);
    this.#listBytesMax = limits.listBytesMax;
  }

  /** The dynamic table's maximum from now on: the sender has acknowledged other SETTINGS of ours. */
  limitTable(tableBytesMax: number): void {
    this.#table.limit = tableBytesMax;
    this.#lastLength = -1;
  }

  /**
   * Decodes a whole header block. Work and memory are bounded by its size and the limits. Throws
   * HpackError where it is no header block, and is of no use any more then: nor is the connection.
   */
  decode(block: Buffer): HeaderList {
    if (this.#isLast(block)) return this.#lastList;
    this.#lastLength = -1;
    this.#position = 0;
    this.#takeSizeUpdates(block);
    let tableChanged = this.#position > 0;
    const fields: HeaderField[] = [];
    let room = this.#listBytesMax;
    while (this.#position < block.length) {
      const start = block[this.#position] as number;
      let field: HeaderField;
      if (start >= INDEXED) {
        field = this.#fieldAt(this.#integer(block, INDEXED_PREFIX_BITS));
      } else if (start >= LITERAL_TO_INDEX) {
        field = this.#literal(block, LITERAL_TO_INDEX_PREFIX_BITS);
        this.#table.add(field);
        tableChanged = true;
      } else if (start >= SIZE_UPDATE) {
        throw new HpackError('a table size update behind a field');
      } else {
        field = this.#literal(block, LITERAL_PREFIX_BITS);
      }
      room -= fieldBytes(field);
      if (room >= 0) fields.push(field);
    }
    const list = { fields, tooLarge: room < 0 };
    if (!tableChanged) this.#remember(block, list);
    return list;
  }

  #isLast(block: Buffer): boolean {
    const length = block.length;
    if (length !== this.#lastLength) return false;
    if (length > LOOP_BYTES_MAX) return block.compare(this.#lastBlock, 0, length) === 0;
    for (let i = 0; i < length; i++) {
      if (block[i] !== this.#lastBlock[i]) return false;
    }
    return true;
  }

  #remember(block: Buffer, list: HeaderList): void {
    if (block.length > REMEMBERED_BYTES_MAX) return;
    this.#lastBlock.set(block);
    this.#lastLength = block.length;
    this.#lastList = list;
  }

  #takeSizeUpdates(block: Buffer): void {
    for (;;) {
      const start = block[this.#position] ?? 0;
      if (start < SIZE_UPDATE || start >= LITERAL_TO_INDEX) break;
      this.#table.sizeMax = this.#integer(block, SIZE_UPDATE_PREFIX_BITS);
    }
    if (this.#table.sizeMax > this.#table.limit) {
      throw new HpackError('no table size update where the limit was lowered');
    }
  }

  #fieldAt(index: number): HeaderField {
    const field =
      index <= STATIC_FIELDS.length
        ? STATIC_FIELDS[index - 1]
        : this.#table.at(index - STATIC_FIELDS.length - 1);
    if (field === undefined) throw new HpackError(`no field has the index ${index}`);
    return field;
  }

  #literal(block: Buffer, prefixBits: number): HeaderField {
    const nameIndex = this.#integer(block, prefixBits);
    const name = nameIndex === 0 ? this.#string(block) : this.#fieldAt(nameIndex)[0];
    return [name, this.#string(block)];
  }

  #string(block: Buffer): string {
    const first = block[this.#position];
    if (first === undefined) throw new HpackError('a field ends before its string');
    const length = this.#integer(block, LENGTH_PREFIX_BITS);
    const start = this.#position;
    const end = start + length;
    if (end > block.length) throw new HpackError(`a string of ${length} bytes is longer than its block`);
    this.#position = end;
    return first >= HUFFMAN ? decodeHuffman(block, start, end) : block.toString('latin1', start, end);
  }

  /** The caller has seen that there is a first byte. */
  #integer(block: Buffer, prefixBits: number): number {
    const prefixMax = (1 << prefixBits) - 1;
    let value = (block[this.#position++] as number) & prefixMax;
    if (value < prefixMax) return value;
    for (let shift = 0; shift <= INTEGER_SHIFT_MAX; shift += 7) {
      const byte = block[this.#position++];
      if (byte === undefined) throw new HpackError('an integer does not end');
      value += (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    throw new HpackError('an integer is too large');
  }
}
