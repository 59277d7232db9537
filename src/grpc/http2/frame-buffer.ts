/** Frames on their way to a socket. */

import { Flag, FRAME_BYTES_MAX, FRAME_HEADER_BYTES, FrameType } from './protocol.ts';

const BYTES_MIN = 512;
/** Growing costs a copy, so a buffer begins as large as the last one was, up to here. */
const BYTES_AT_FIRST_MAX = 64 * 1024;
const NO_BYTES = Buffer.alloc(0);

/** Frames one behind the other, in one buffer that grows; none while there are none. */
export class FrameBuffer {
  #bytes: Buffer = NO_BYTES;
  #length = 0;
  #bytesAtFirst = BYTES_MIN;

  /** What was appended since the last call, for the caller to keep; undefined: nothing. */
  take(): Buffer | undefined {
    if (this.#length === 0) return undefined;
    const taken = this.#bytes.subarray(0, this.#length);
    this.#bytesAtFirst = Math.min(Math.max(BYTES_MIN, this.#length), BYTES_AT_FIRST_MAX);
    this.#bytes = NO_BYTES;
    this.#length = 0;
    return taken;
  }

  /** Appends bytes as they are. */
  append(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** Appends the nine bytes in front of a payload of `length` bytes, which is to be appended next. */
  frameHeader(type: number, flags: number, streamId: number, length: number): void {
    this.#reserve(FRAME_HEADER_BYTES + length);
    const bytes = this.#bytes;
    let at = this.#length;
    bytes[at++] = length >>> 16;
    bytes[at++] = length >>> 8;
    bytes[at++] = length;
    bytes[at++] = type;
    bytes[at++] = flags;
    bytes[at++] = streamId >>> 24;
    bytes[at++] = streamId >>> 16;
    bytes[at++] = streamId >>> 8;
    bytes[at++] = streamId;
    this.#length = at;
  }

  /** Appends a frame. */
  frame(type: number, flags: number, streamId: number, payload: Uint8Array): void {
    this.frameHeader(type, flags, streamId, payload.length);
    this.append(payload);
  }

  /** Appends a header block, in as many frames as it needs. */
  headers(streamId: number, block: Buffer, endStream: boolean): void {
    let type: number = FrameType.HEADERS;
    let flags: number = endStream ? Flag.END_STREAM : 0;
    let at = 0;
    for (; block.length - at > FRAME_BYTES_MAX; at += FRAME_BYTES_MAX) {
      this.frame(type, flags, streamId, block.subarray(at, at + FRAME_BYTES_MAX));
      type = FrameType.CONTINUATION;
      flags = 0;
    }
    this.frame(type, flags | Flag.END_HEADERS, streamId, at === 0 ? block : block.subarray(at));
  }

  /** Appends a WINDOW_UPDATE. */
  windowUpdate(streamId: number, increment: number): void {
    this.append(windowUpdateFrame(streamId, increment));
  }

  /** Appends four bytes, the highest first. */
  uint32(value: number): void {
    this.#reserve(4);
    this.#length = this.#bytes.writeUInt32BE(value, this.#length);
  }

  /** Appends one byte. */
  uint8(value: number): void {
    this.#reserve(1);
    this.#bytes[this.#length++] = value;
  }

  #reserve(bytes: number): void {
    const needed = this.#length + bytes;
    if (needed <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafe(Math.max(needed, this.#bytesAtFirst, this.#bytes.length * 2));
    this.#bytes.copy(grown, 0, 0, this.#length);
    this.#bytes = grown;
  }
}

/** A WINDOW_UPDATE by itself. */
export function windowUpdateFrame(streamId: number, increment: number): Buffer {
  return frameOfNumber(FrameType.WINDOW_UPDATE, streamId, increment);
}

/** A RST_STREAM by itself. */
export function resetFrame(streamId: number, code: number): Buffer {
  return frameOfNumber(FrameType.RST_STREAM, streamId, code);
}

function frameOfNumber(type: number, streamId: number, value: number): Buffer {
  const frame = Buffer.alloc(FRAME_HEADER_BYTES + 4);
  frame[2] = 4;
  frame[3] = type;
  frame.writeUInt32BE(streamId, 5);
  frame.writeUInt32BE(value, FRAME_HEADER_BYTES);
  return frame;
}
