/** Header blocks of requests, out of the frames that they come in. */

import type { FrameReader } from './frame-reader.ts';
import { ConnectionError, ErrorCode, Flag, FrameType } from './protocol.ts';

/** A whole block. */
export interface HeaderBlock {
  readonly streamId: number;
  readonly endStream: boolean;
  readonly block: Buffer;
}

/** No honest client sends more; what is less is refused by its size as a list. */
const BLOCK_BYTES_MAX = 64 * 1024;
/** Nor does one send its block in so many parts: an empty one would cost nothing but our time. */
const CONTINUATIONS_MAX = 16;

const PRIORITY_BYTES = 5;

/** Gathers HEADERS and the CONTINUATION frames behind them. */
export class HeaderBlocks {
  #streamId = 0;
  #endStream = false;
  #parts: Buffer[] = [];
  #bytes = 0;

  /** Whether a block has begun: nothing but its continuation may follow. */
  get open(): boolean {
    return this.#parts.length > 0;
  }

  /** Takes a HEADERS or a CONTINUATION frame; the block, where that completes it. */
  push(frame: FrameReader): HeaderBlock | undefined {
    const part = frame.type === FrameType.HEADERS ? this.#begin(frame) : this.#continue(frame);
    if (!this.open && frame.has(Flag.END_HEADERS))
      return { streamId: frame.streamId, endStream: this.#endStream, block: part };
    // It is a view of all that arrived with it.
    this.#parts.push(Buffer.from(part));
    this.#bytes += part.length;
    if (this.#bytes > BLOCK_BYTES_MAX || this.#parts.length > CONTINUATIONS_MAX)
      throw new ConnectionError(ErrorCode.ENHANCE_YOUR_CALM, 'a header block that is too large');
    if (!frame.has(Flag.END_HEADERS)) return undefined;
    const block = Buffer.concat(this.#parts);
    this.#parts = [];
    this.#bytes = 0;
    return { streamId: this.#streamId, endStream: this.#endStream, block };
  }

  #begin(frame: FrameReader): Buffer {
    this.#streamId = frame.streamId;
    this.#endStream = frame.has(Flag.END_STREAM);
    const content = frame.content();
    if (!frame.has(Flag.PRIORITY)) return content;
    if (content.length < PRIORITY_BYTES)
      throw new ConnectionError(ErrorCode.FRAME_SIZE_ERROR, 'HEADERS without room for their priority');
    return content.subarray(PRIORITY_BYTES);
  }

  #continue(frame: FrameReader): Buffer {
    if (!this.open || frame.streamId !== this.#streamId)
      throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, 'CONTINUATION of nothing');
    return frame.bytes.subarray(frame.payload, frame.end);
  }
}
