/** Frames of node:http2 that wait for the client's window. */

import { FrameType } from './protocol.ts';

/** A frame on its way to the client. */
export interface OutgoingFrame {
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
  /** Of DATA the payload, of HEADERS the block. */
  bytes: Buffer;
}

/**
 * DATA that waits for the window, and what follows it on the same streams. node:http2 sends within the
 * window that it knows of; this is what the lane has used up of it, so never more than one window.
 */
export class HeldFrames {
  #frames: OutgoingFrame[] = [];
  readonly #streams = new Set<number>();

  /** Whether nothing waits. */
  get empty(): boolean {
    return this.#frames.length === 0;
  }

  /** Whether what follows on the stream has to wait, too. */
  has(streamId: number): boolean {
    return this.#streams.has(streamId);
  }

  /** Takes a frame, or what is left of it, behind all others. */
  push(frame: OutgoingFrame): void {
    this.#frames.push(frame);
    this.#streams.add(frame.streamId);
  }

  /** Hands out one after the other, until `send` says that it has left a rest in the frame. */
  advance(send: (frame: OutgoingFrame) => boolean): void {
    let sent = 0;
    for (const frame of this.#frames) {
      if (!send(frame)) break;
      sent++;
    }
    this.#frames.splice(0, sent);
    if (this.empty) this.#streams.clear();
  }

  /** Drops what waits on a stream; returns how many bytes of DATA that was. */
  drop(streamId: number): number {
    if (!this.#streams.delete(streamId)) return 0;
    let dataBytes = 0;
    for (const { streamId: other, type, bytes } of this.#frames) {
      if (other === streamId && type === FrameType.DATA) dataBytes += bytes.length;
    }
    this.#frames = this.#frames.filter((frame) => frame.streamId !== streamId);
    return dataBytes;
  }

  /** Drops everything. */
  clear(): void {
    this.#frames = [];
    this.#streams.clear();
  }
}
