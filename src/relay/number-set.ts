/** Sets of numbers of the journal or of the stream: a bit for each, so that a hundred million take 13 MB. */

const CHUNK_BITS = 65_536n;

/** Numbers from 0 on. */
export class NumberSet {
  readonly #chunks = new Map<bigint, Uint8Array>();

  /** False: it was there before. */
  add(number: bigint): boolean {
    const name = number / CHUNK_BITS;
    let chunk = this.#chunks.get(name);
    if (chunk === undefined) {
      chunk = new Uint8Array(Number(CHUNK_BITS) / 8);
      this.#chunks.set(name, chunk);
    }
    const [byte, bit] = placeOf(number);
    const before = chunk[byte] ?? 0;
    chunk[byte] = before | bit;
    return (before & bit) === 0;
  }

  has(number: bigint): boolean {
    const [byte, bit] = placeOf(number);
    return ((this.#chunks.get(number / CHUNK_BITS)?.[byte] ?? 0) & bit) !== 0;
  }
}

function placeOf(number: bigint): [byte: number, bit: number] {
  const place = Number(number % CHUNK_BITS);
  return [place >> 3, 1 << (place & 7)];
}

/** Puts numbers that follow each other together. */
export class NumberRanges {
  readonly #found: (first: bigint, last: bigint) => void | Promise<void>;
  #first = 0n;
  #last = -1n;

  /** `found` hears of each range once the next number does not belong to it. */
  constructor(found: (first: bigint, last: bigint) => void | Promise<void>) {
    this.#found = found;
  }

  async add(number: bigint): Promise<void> {
    if (number !== this.#last + 1n || this.#last < 0n) {
      await this.end();
      this.#first = number;
    }
    this.#last = number;
  }

  /** No number follows. */
  async end(): Promise<void> {
    if (this.#last >= this.#first) await this.#found(this.#first, this.#last);
    this.#first = 0n;
    this.#last = -1n;
  }
}
