/** Frames of node:http2 that wait for the client's window. */

import type { HeldBytes } from '../held-bytes.ts';
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
 * window that it knows of; this is what the lane has used up of it, so never more than one window. A
 * client may make that as wide as it likes: therefore every byte counts as held.
 */
export class HeldFrames {
  readonly #heldBytes: HeldBytes;
  #frames: OutgoingFrame[] = [];
  readonly #streams = new Set<number>();

  constructor(heldBytes: HeldBytes) {
    this.#heldBytes = heldBytes;
  }

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
    this.#heldBytes.take(frame.bytes.length);
    this.#streams.add(frame.streamId);
  }

  /** Hands out one after the other, until `send` says that it has left a rest in the frame. */
  advance(send: (frame: OutgoingFrame) => boolean): void {
    let sent = 0;
    for (const frame of this.#frames) {
      const before = frame.bytes.length;
      const all = send(frame);
      this.#heldBytes.giveBack(all ? before : before - frame.bytes.length);
      if (!all) break;
      sent++;
    }
    this.#frames.splice(0, sent);
    if (this.empty) this.#streams.clear();
  }

  /** Drops what waits on a stream; returns how many bytes of DATA that was. */
  drop(streamId: number): number {
    if (!this.#streams.delete(streamId)) return 0;
    let dataBytes = 0;
    this.#frames = this.#frames.filter((frame) => {
      if (frame.streamId !== streamId) return true;
      this.#heldBytes.giveBack(frame.bytes.length);
      if (frame.type === FrameType.DATA) dataBytes += frame.bytes.length;
      return false;
    });
    return dataBytes;
  }

  /** Drops everything. */
  clear(): void {
    for (const { bytes } of this.#frames) this.#heldBytes.giveBack(bytes.length);
    this.#frames = [];
    this.#streams.clear();
  }
}
