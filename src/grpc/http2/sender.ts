/** What a client connection is sent: frames of the lane and of node:http2, within one window. */

import type { Socket } from 'node:net';

import type { HeldBytes } from '../held-bytes.ts';
import { FrameBuffer, resetFrame } from './frame-buffer.ts';
import { encodeTableSizeUpdate } from './hpack-encoder.ts';
import { ConnectionError, ErrorCode, WINDOW_DEFAULT, WINDOW_MAX } from './protocol.ts';

/** Whoever has DATA that waits for the window of the connection. */
export interface Waiting {
  /** Sends what it now allows; false: more would follow, were the window wider. */
  advance(): boolean;
}

/** Gathers what one turn of the event loop has for the client, and writes it at the end of the turn. */
export class Sender {
  /** What is written next. */
  readonly out = new FrameBuffer();
  readonly #socket: Socket;
  readonly #heldBytes: HeldBytes;
  #window = WINDOW_DEFAULT;
  /** What the lane has sent and the client not given back: node:http2 believes the window that much larger. */
  #laneBytes = 0;
  readonly #waiting = new Set<Waiting>();
  #flushing = false;
  #tableSizeUpdate: Buffer | undefined;

  constructor(socket: Socket, heldBytes: HeldBytes) {
    this.#socket = socket;
    this.#heldBytes = heldBytes;
  }

  /** Whether the client takes so little that nothing more should be read from it. */
  get full(): boolean {
    return this.#socket.writableNeedDrain;
  }

  /** Bytes of DATA that the client takes. */
  get window(): number {
    return this.#window;
  }

  /** Appends a header block that refers to no table; `endStream`: and nothing behind it. */
  headers(streamId: number, block: Buffer, endStream: boolean): void {
    const update = this.#tableSizeUpdate;
    this.#tableSizeUpdate = undefined;
    this.out.headers(streamId, update === undefined ? block : Buffer.concat([update, block]), endStream);
  }

  /** Appends the RST_STREAM of a stream of the lane. */
  reset(streamId: number, code: number): void {
    this.out.append(resetFrame(streamId, code));
    this.flushSoon();
  }

  /** DATA of the lane was appended. */
  spendOnLane(bytes: number): void {
    this.#window -= bytes;
    this.#laneBytes += bytes;
  }

  /** DATA of node:http2 was appended. */
  spend(bytes: number): void {
    this.#window -= bytes;
  }

  /** The client gives back window; returns how much of it is for node:http2. */
  widen(increment: number): number {
    this.#window += increment;
    if (this.#window > WINDOW_MAX)
      throw new ConnectionError(ErrorCode.FLOW_CONTROL_ERROR, 'a connection window beyond 2^31 - 1');
    const ofLane = Math.min(increment, this.#laneBytes);
    this.#laneBytes -= ofLane;
    return increment - ofLane;
  }

  /** Sends what it can of it now, and the rest as the window allows. */
  sendOrWait(waiting: Waiting): void {
    if (!waiting.advance()) this.#waiting.add(waiting);
  }

  /** It has nothing to send any more. */
  stopWaiting(waiting: Waiting): void {
    this.#waiting.delete(waiting);
  }

  /** The window became wider. */
  advance(): void {
    for (const waiting of this.#waiting) {
      if (this.#window <= 0) break;
      if (waiting.advance()) this.#waiting.delete(waiting);
    }
    this.flushSoon();
  }

  /** The client's table for headers became smaller, and the next block has to say that it is known. */
  tableSizeIs(bytes: number): void {
    this.#tableSizeUpdate = encodeTableSizeUpdate(bytes);
  }

  /** Writes at the end of the turn. */
  flushSoon(): void {
    if (this.#flushing) return;
    this.#flushing = true;
    process.nextTick(() => {
      this.#flushing = false;
      this.flush();
    });
  }

  /** Writes now. */
  flush(): void {
    const bytes = this.out.take();
    if (bytes === undefined || !this.#socket.writable) return;
    const { length } = bytes;
    this.#heldBytes.take(length);
    this.#socket.write(bytes, () => this.#heldBytes.giveBack(length));
  }
}
