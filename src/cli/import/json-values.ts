/** Cuts a stream of JSON into its values, whatever lines they are on. */

import { faultOf } from './read-lines.ts';

/** Most bytes of one value. A longer one gets a fault, and its other bytes do not stay in memory. */
const VALUE_BYTES_MAX = 67_108_864;

/** Bytes of a value that is too long which go into the reject file. */
const KEPT_BYTES_MAX = 4096;

/** The text of one JSON value, which may be broken. */
export interface JsonText {
  /** The line on which the value begins, from 1. */
  readonly number: number;
  readonly text: string;
  /** Bytes of the file up to the end of this value. */
  readonly endOffset: number;
  readonly fault?: string;
}

/** The bytes of a byte order mark, with which no value begins. */
const MARK = new Set([0xef, 0xbb, 0xbf]);
const [QUOTE, BACKSLASH, COMMA] = [0x22, 0x5c, 0x2c];
const [OPEN_ARRAY, CLOSE_ARRAY, OPEN_OBJECT, CLOSE_OBJECT] = [0x5b, 0x5d, 0x7b, 0x7d];

/**
 * Yields the values one after the other: those of an array if the file is one array, otherwise those that
 * follow each other. Only brackets and quotes are looked at, so a broken value does not end the reading.
 */
export async function* readJsonValues(source: AsyncIterable<Buffer>): AsyncGenerator<JsonText> {
  const cutter = new Cutter();
  for await (const chunk of source) yield* cutter.push(chunk);
  yield* cutter.end();
}

class Cutter {
  #line = 1;
  #offset = 0;
  /** Depth of the brackets, and the depth at which values begin: 1 inside the array that is the file. */
  #depth = 0;
  #base = 0;
  #isInString = false;
  #isEscaped = false;
  /** The value that is being read. */
  #startLine: number | undefined;
  #parts: Buffer[] = [];
  #bytes = 0;

  *push(chunk: Buffer): Generator<JsonText> {
    let start = 0;
    for (let index = 0; index < chunk.length; index += 1) {
      const byte = chunk[index] ?? 0;
      if (byte === 10) this.#line += 1;
      if (this.#isInString) this.#stepInString(byte);
      else {
        const wasActive = this.#startLine !== undefined;
        const ends = this.#step(byte);
        if (!wasActive && this.#startLine !== undefined) start = index;
        if (ends !== undefined) {
          const end = index + (ends === 'with this byte' ? 1 : 0);
          yield this.#take(chunk.subarray(start, end), this.#offset + end);
        }
      }
    }
    if (this.#startLine !== undefined) this.#keep(chunk.subarray(start));
    this.#offset += chunk.length;
  }

  *end(): Generator<JsonText> {
    const fault = 'the file ends inside of a JSON value or array: it seems to be incomplete';
    if (this.#startLine !== undefined) {
      const isOpen = this.#depth > this.#base || this.#isInString;
      const value = this.#take(Buffer.of(), this.#offset);
      yield isOpen ? { ...value, fault } : value;
    }
    if (this.#base > 0) yield { number: this.#line, text: '', endOffset: this.#offset, fault };
  }

  #stepInString(byte: number): void {
    if (this.#isEscaped) this.#isEscaped = false;
    else if (byte === BACKSLASH) this.#isEscaped = true;
    else if (byte === QUOTE) this.#isInString = false;
  }

  /** Takes a byte outside of strings. Returns whether a value ends with it or before it. */
  #step(byte: number): 'with this byte' | 'before this byte' | undefined {
    const isBetween = this.#depth === this.#base;
    const endsBefore = (): 'before this byte' | undefined =>
      isBetween && this.#startLine !== undefined ? 'before this byte' : undefined;
    if (byte <= 0x20 || byte === COMMA) return endsBefore();
    if (this.#startLine === undefined && MARK.has(byte)) return undefined;
    if (isBetween && byte === CLOSE_ARRAY && this.#base === 1) {
      [this.#base, this.#depth] = [0, 0];
      return endsBefore();
    }
    if (byte === OPEN_ARRAY && this.#depth === 0 && this.#startLine === undefined) {
      [this.#base, this.#depth] = [1, 1];
      return undefined;
    }
    this.#startLine ??= this.#line;
    if (byte === QUOTE) this.#isInString = true;
    else if (byte === OPEN_ARRAY || byte === OPEN_OBJECT) this.#depth += 1;
    else if ((byte === CLOSE_ARRAY || byte === CLOSE_OBJECT) && !isBetween) {
      this.#depth -= 1;
      if (this.#depth === this.#base) return 'with this byte';
    }
    return undefined;
  }

  #keep(part: Buffer): void {
    if (this.#bytes + part.length <= VALUE_BYTES_MAX) this.#parts.push(part);
    this.#bytes += part.length;
  }

  #take(last: Buffer, endOffset: number): JsonText {
    this.#keep(last);
    const bytes = Buffer.concat(this.#parts);
    const number = this.#startLine ?? this.#line;
    const isCut = this.#bytes > VALUE_BYTES_MAX;
    this.#startLine = undefined;
    this.#parts = [];
    this.#bytes = 0;
    if (isCut) {
      const fault = `the JSON value is longer than ${VALUE_BYTES_MAX} bytes: cut it into lines, for example with jq -c '.data[]' FILE`;
      return { number, text: bytes.toString('utf8', 0, KEPT_BYTES_MAX), endOffset, fault };
    }
    const value = { number, text: bytes.toString('utf8'), endOffset };
    const fault = faultOf(bytes);
    return fault === undefined ? value : { ...value, fault };
  }
}
