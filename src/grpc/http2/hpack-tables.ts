/** The two tables that header blocks refer to (RFC 7541, 2.3): fields that are always known, and recent ones. */

import { HpackError } from './hpack-error.ts';

/** A name and a value, both latin1. */
export type HeaderField = readonly [name: string, value: string];

/** Appendix A; the first has index 1. */
export const STATIC_FIELDS: readonly HeaderField[] = [
  [':authority', ''],
  [':method', 'GET'],
  [':method', 'POST'],
  [':path', '/'],
  [':path', '/index.html'],
  [':scheme', 'http'],
  [':scheme', 'https'],
  [':status', '200'],
  [':status', '204'],
  [':status', '206'],
  [':status', '304'],
  [':status', '400'],
  [':status', '404'],
  [':status', '500'],
  ['accept-charset', ''],
  ['accept-encoding', 'gzip, deflate'],
  ['accept-language', ''],
  ['accept-ranges', ''],
  ['accept', ''],
  ['access-control-allow-origin', ''],
  ['age', ''],
  ['allow', ''],
  ['authorization', ''],
  ['cache-control', ''],
  ['content-disposition', ''],
  ['content-encoding', ''],
  ['content-language', ''],
  ['content-length', ''],
  ['content-location', ''],
  ['content-range', ''],
  ['content-type', ''],
  ['cookie', ''],
  ['date', ''],
  ['etag', ''],
  ['expect', ''],
  ['expires', ''],
  ['from', ''],
  ['host', ''],
  ['if-match', ''],
  ['if-modified-since', ''],
  ['if-none-match', ''],
  ['if-range', ''],
  ['if-unmodified-since', ''],
  ['last-modified', ''],
  ['link', ''],
  ['location', ''],
  ['max-forwards', ''],
  ['proxy-authenticate', ''],
  ['proxy-authorization', ''],
  ['range', ''],
  ['referer', ''],
  ['refresh', ''],
  ['retry-after', ''],
  ['server', ''],
  ['set-cookie', ''],
  ['strict-transport-security', ''],
  ['transfer-encoding', ''],
  ['user-agent', ''],
  ['vary', ''],
  ['via', ''],
  ['www-authenticate', ''],
];

/** What a field takes of a table and of a header list: RFC 7541, 4.1, and RFC 9113, 6.5.2. */
export function fieldBytes(field: HeaderField): number {
  return field[0].length + field[1].length + 32;
}

const RING_LENGTH_MIN = 16;

/** Recent fields, the newest first; the oldest make room for new ones. */
export class DynamicTable {
  /** A power of two long. */
  #ring: (HeaderField | undefined)[] = new Array<undefined>(RING_LENGTH_MIN).fill(undefined);
  #newest = 0;
  #count = 0;
  #bytes = 0;
  #limit: number;
  #sizeMax: number;

  /** `limit`: what `sizeMax` may be at most, and is at first. */
  constructor(limit: number) {
    this.#limit = limit;
    this.#sizeMax = limit;
  }

  /** All fields together, by `fieldBytes`. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The number of fields. */
  get count(): number {
    return this.#count;
  }

  /** What the fields may take; above `limit` after that was lowered, until it is set. */
  get sizeMax(): number {
    return this.#sizeMax;
  }

  set sizeMax(sizeMax: number) {
    if (sizeMax > this.#limit) {
      throw new HpackError(`a table of ${sizeMax} bytes, and ${this.#limit} are allowed`);
    }
    this.#sizeMax = sizeMax;
    this.#evict(sizeMax);
  }

  /** What `sizeMax` may be at most. */
  get limit(): number {
    return this.#limit;
  }

  set limit(limit: number) {
    this.#limit = limit;
  }

  /** The field that is so many behind the newest. */
  at(position: number): HeaderField | undefined {
    if (position >= this.#count) return undefined;
    return this.#ring[(this.#newest - position) & (this.#ring.length - 1)];
  }

  /** One that is larger than the table empties it, and is not in it. */
  add(field: HeaderField): void {
    const bytes = fieldBytes(field);
    this.#evict(this.#sizeMax - bytes);
    if (bytes > this.#sizeMax) return;
    if (this.#count === this.#ring.length) this.#grow();
    this.#newest = (this.#newest + 1) & (this.#ring.length - 1);
    this.#ring[this.#newest] = field;
    this.#count++;
    this.#bytes += bytes;
  }

  #evict(bytesMax: number): void {
    while (this.#bytes > bytesMax && this.#count > 0) {
      const oldest = (this.#newest - --this.#count) & (this.#ring.length - 1);
      this.#bytes -= fieldBytes(this.#ring[oldest] as HeaderField);
      this.#ring[oldest] = undefined;
    }
  }

  #grow(): void {
    const oldestFirst = Array.from({ length: this.#count }, (_, i) => this.at(this.#count - 1 - i));
    this.#newest = this.#count - 1;
    this.#ring = oldestFirst.concat(new Array<undefined>(this.#count).fill(undefined));
  }
}
