/** What node:http2 gets of a client's frames, in their order. */

import { FrameBuffer } from './frame-buffer.ts';
import type { FrameReader } from './frame-reader.ts';
import type { HeaderField } from './hpack-decoder.ts';
import { encodeFields } from './hpack-encoder.ts';
import type { InnerConnection } from './inner-connection.ts';

/** Frames that follow each other are handed on in one piece, without a copy. */
export class InnerFeed {
  readonly #inner: InnerConnection;
  readonly #frame: FrameReader;
  /** Frames in a row: their places in the reader's bytes. */
  #runStart = 0;
  #runEnd = 0;
  #innerTakes = true;

  /** `frame`: the reader of what the client sends. */
  constructor(inner: InnerConnection, frame: FrameReader) {
    this.#inner = inner;
    this.#frame = frame;
  }

  /** The reader has new bytes. */
  begin(): void {
    this.#innerTakes = true;
    this.#runStart = this.#runEnd = 0;
  }

  /** Hands on the frame on which the reader stands, at the latest by `end()`. */
  forward(): void {
    const { start, end } = this.#frame;
    if (start !== this.#runEnd) {
      this.#forwardRun();
      this.#runStart = start;
    }
    this.#runEnd = end;
  }

  /** Hands on something that stands in the place of the client's own frame. */
  give(frames: Buffer): void {
    this.#forwardRun();
    if (!this.#inner.forward(frames)) this.#innerTakes = false;
  }

  /** Hands on headers, without the compression that node:http2 shares with the lane. */
  headers(streamId: number, fields: readonly HeaderField[], endStream: boolean): void {
    const frames = new FrameBuffer();
    frames.headers(streamId, encodeFields(fields), endStream);
    const bytes = frames.take();
    if (bytes !== undefined) this.give(bytes);
  }

  /** The reader's bytes will be gone; false: node:http2 should not get more for now. */
  end(): boolean {
    this.#forwardRun();
    return this.#innerTakes;
  }

  #forwardRun(): void {
    const run = this.#frame.bytes.subarray(this.#runStart, this.#runEnd);
    if (run.length > 0 && !this.#inner.forward(run)) this.#innerTakes = false;
    this.#runStart = this.#runEnd;
  }
}
