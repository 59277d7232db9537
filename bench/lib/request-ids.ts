/** Random request ids, cheap enough for a client that makes tens of thousands a second. */

import { randomFillSync } from 'node:crypto';

/** As long as every id: it is found in an encoded template and overwritten. */
export const REQUEST_ID_TEMPLATE = '00000000-0000-4000-8000-000000000000';

const RANDOM_BYTES = 16;
const POOL_BYTES = RANDOM_BYTES * 4096;
const HEX = Uint16Array.from({ length: 256 }, (_, byte) => {
  const text = byte.toString(16).padStart(2, '0');
  return text.charCodeAt(0) | (text.charCodeAt(1) << 8);
});
/** Position in the text of the two digits of each random byte. */
const PLACES = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];

/** Makes version 4 UUIDs as ASCII. */
export class RequestIds {
  readonly #pool = Buffer.allocUnsafe(POOL_BYTES);
  readonly #text = Buffer.from(REQUEST_ID_TEMPLATE, 'latin1');
  #position = POOL_BYTES;

  /** Overwrites the 36 bytes at `at` with the next id. */
  write(out: Buffer, at: number): void {
    if (this.#position === POOL_BYTES) {
      randomFillSync(this.#pool);
      this.#position = 0;
    }
    const pool = this.#pool;
    for (let index = 0; index < RANDOM_BYTES; index++) {
      const digits = HEX[pool[this.#position + index] ?? 0] ?? 0;
      const place = at + (PLACES[index] ?? 0);
      out[place] = digits & 0xff;
      out[place + 1] = digits >>> 8;
    }
    out[at + 8] = out[at + 13] = out[at + 18] = out[at + 23] = DASH;
    out[at + 14] = VERSION;
    out[at + 19] = VARIANT;
    this.#position += RANDOM_BYTES;
  }

  /** The next id as a text. */
  next(): string {
    this.write(this.#text, 0);
    return this.#text.toString('latin1');
  }
}

const DASH = 0x2d;
const VERSION = 0x34;
const VARIANT = 0x38;
