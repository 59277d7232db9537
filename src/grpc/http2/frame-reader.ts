/** The frames in a stream of bytes. */

import { ConnectionError, ErrorCode, Flag, FRAME_HEADER_BYTES } from './protocol.ts';

const NO_BYTES = Buffer.alloc(0);

/**
 * Stands on one frame after the other. No object for each: `type`, `flags`, `streamId` and the places
 * in `bytes` are those of the frame that the last `next()` came to.
 */
export class FrameReader {
  /** Where the frame is, from `start` (its nine bytes) over `payload` to `end`; changed by `push`. */
  bytes: Buffer = NO_BYTES;
  start = 0;
  payload = 0;
  end = 0;
  type = 0;
  flags = 0;
  streamId = 0;
  readonly #frameBytesMax: number;

  /** `frameBytesMax`: the largest payload that is taken. */
  constructor(frameBytesMax: number) {
    this.#frameBytesMax = frameBytesMax;
  }

  /** Takes what arrived next; every frame before it has been looked at. */
  push(chunk: Buffer): void {
    const rest = this.bytes.subarray(this.end);
    this.bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    this.end = 0;
  }

  /** Keeps what has not been looked at without what it arrived with, which may be much larger. */
  letGo(): void {
    this.bytes = this.end === this.bytes.length ? NO_BYTES : Buffer.from(this.bytes.subarray(this.end));
    this.end = 0;
  }

  /** Goes on to the next frame; false: it has not arrived as a whole. Throws where it is too large. */
  next(): boolean {
    const { bytes, end: start } = this;
    if (bytes.length - start < FRAME_HEADER_BYTES) return false;
    const length = bytes.readUIntBE(start, 3);
    if (length > this.#frameBytesMax)
      throw new ConnectionError(ErrorCode.FRAME_SIZE_ERROR, `a frame of ${length} bytes`);
    const payload = start + FRAME_HEADER_BYTES;
    if (payload + length > bytes.length) return false;
    this.start = start;
    this.payload = payload;
    this.end = payload + length;
    this.type = bytes[start + 3] ?? 0;
    this.flags = bytes[start + 4] ?? 0;
    // The highest bit is reserved, and to be ignored.
    this.streamId = bytes.readUInt32BE(start + 5) & 0x7fffffff;
    return true;
  }

  /** The number that the payload is. Throws where it is not four bytes. */
  uint32(): number {
    if (this.end - this.payload !== 4)
      throw new ConnectionError(ErrorCode.FRAME_SIZE_ERROR, 'a payload that should have four bytes');
    return this.bytes.readUInt32BE(this.payload);
  }

  /** The payload without its padding. Throws where the padding is longer. */
  content(): Buffer {
    let { payload: start, end } = this;
    if (this.has(Flag.PADDED)) {
      end -= this.bytes[start] ?? 0;
      start++;
      if (start > end)
        throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, 'more padding than the frame has room for');
    }
    return this.bytes.subarray(start, end);
  }

  /** Whether the flag is set. */
  has(flag: number): boolean {
    return (this.flags & flag) !== 0;
  }
}
