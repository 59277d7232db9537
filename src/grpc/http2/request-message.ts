/** The one message of a unary request, out of the DATA frames that it comes in. */

import { PREFIX_BYTES } from '../codec.ts';

/** What makes a request no unary request. */
export type RequestFault =
  | { readonly kind: 'too_large'; readonly sizeBytes: number }
  | { readonly kind: 'compressed' }
  | { readonly kind: 'second_message' };

const COMPRESSED: RequestFault = { kind: 'compressed' };
const SECOND_MESSAGE: RequestFault = { kind: 'second_message' };

/** A message in parts is gathered in a buffer that starts with this and doubles. */
const GATHERED_BYTES_MIN = 16 * 1024;
const NO_BYTES = Buffer.alloc(0);

/** Takes the frames of a request; keeps at most twice what has arrived, whatever its size claims. */
export class RequestMessage {
  readonly #bytesMax: number;
  /** The start of a prefix that is not complete. */
  #prefix: Buffer = NO_BYTES;
  #size = 0;
  /** Bytes that the message in hand still lacks; undefined between messages. */
  #missing: number | undefined = undefined;
  #gathered: Buffer = NO_BYTES;
  #complete = false;
  /** Whether what is gathered is in a buffer of its own. */
  #owned = true;

  /** `bytesMax`: the largest message that is kept. */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** The message; undefined where it has not arrived as a whole. */
  get bytes(): Buffer | undefined {
    return this.#complete ? this.#gathered : undefined;
  }

  /** Takes what arrived next; after a fault there is nothing to push any more. */
  push(chunk: Buffer): RequestFault | undefined {
    const arrived = this.#prefix.length === 0 ? chunk : Buffer.concat([this.#prefix, chunk]);
    let position = 0;
    for (;;) {
      if (this.#missing === undefined) {
        if (arrived.length - position < PREFIX_BYTES) {
          this.#prefix = arrived.subarray(position);
          return undefined;
        }
        const fault = this.#begin(arrived, position);
        if (fault !== undefined) return fault;
        position += PREFIX_BYTES;
      }
      const missing = this.#missing ?? 0;
      const end = Math.min(arrived.length, position + missing);
      // Of a second message only its end matters.
      if (!this.#complete) this.#gather(arrived.subarray(position, end), missing);
      this.#missing = missing - (end - position);
      if (this.#missing > 0) return undefined;
      if (this.#complete) return SECOND_MESSAGE;
      this.#complete = true;
      this.#missing = undefined;
      position = end;
    }
  }

  /** Copies what is kept out of the chunk that was pushed last: it may be part of something much larger. */
  own(): void {
    this.#prefix = Buffer.from(this.#prefix);
    if (this.#gathered.length > 0 && !this.#owned) this.#gathered = Buffer.from(this.#gathered);
    this.#owned = true;
  }

  #begin(arrived: Buffer, position: number): RequestFault | undefined {
    this.#prefix = NO_BYTES;
    this.#size = arrived.readUInt32BE(position + 1);
    if (this.#size > this.#bytesMax) return { kind: 'too_large', sizeBytes: this.#size };
    if (arrived[position] !== 0) return COMPRESSED;
    this.#missing = this.#size;
    return undefined;
  }

  #gather(part: Buffer, missing: number): void {
    if (part.length === this.#size) {
      this.#gathered = part;
      this.#owned = false;
      return;
    }
    const filled = this.#size - missing;
    const needed = filled + part.length;
    if (needed > this.#gathered.length) {
      const grown = Buffer.allocUnsafe(Math.min(this.#size, Math.max(GATHERED_BYTES_MIN, 2 * needed)));
      this.#gathered.copy(grown, 0, 0, filled);
      this.#gathered = grown;
    }
    part.copy(this.#gathered, filled);
  }
}
