/** One HTTP/2 stream of the lane: its two halves, and how its answer goes out. */

import { PREFIX_BYTES } from '../../contract/wire.ts';
import type { HeldBytes } from '../held-bytes.ts';
import {
  ConnectionError,
  ErrorCode,
  FRAME_BYTES_MAX,
  FrameType,
  WINDOW_DEFAULT,
  WINDOW_MAX,
} from './protocol.ts';
import type { Blocked, Sender } from './sender.ts';

/** Who reads a stream. */
export interface StreamReader {
  /** The trailers behind the message, asked for when they are sent. */
  readonly trailers: Buffer;
  /** Bytes arrived; they are to be copied where they are kept longer than what they belong to. */
  receive(bytes: Buffer): void;
  /** Nothing more arrives. */
  receiveEnd(): void;
  /** The stream is over: both halves ended, or it was reset. Called once. */
  closed(): void;
}

/** The client is told of what was received when it is this much, so that it may go on sending. */
const CREDIT_BYTES = WINDOW_DEFAULT >> 1;
const NO_BYTES = Buffer.alloc(0);

/** A stream between its first headers and its end. */
export class LaneStream implements Blocked {
  readonly id: number;
  readonly #sender: Sender;
  readonly #heldBytes: HeldBytes;
  readonly #onClose: (stream: LaneStream) => void;
  #reader: StreamReader | undefined;
  #sendWindow: number;
  #receivedBytes = 0;
  /** What windows hold back of the answer. */
  #rest: Buffer = NO_BYTES;
  #receiving = true;
  #answered = false;
  #sending = true;

  /** `onClose`: called once, before the reader hears of it. */
  constructor(id: number, sender: Sender, heldBytes: HeldBytes, onClose: (stream: LaneStream) => void) {
    this.id = id;
    this.#sender = sender;
    this.#heldBytes = heldBytes;
    this.#onClose = onClose;
    this.#sendWindow = sender.streamWindow;
  }

  /** To be called once, before anything arrives. */
  readBy(reader: StreamReader): void {
    this.#reader = reader;
  }

  /** Whether an answer can still be sent. */
  get canAnswer(): boolean {
    return this.#sending && !this.#answered;
  }

  /** Sends headers and a message, and the reader's trailers when the last of it goes out. */
  answer(head: Buffer, message: Buffer): void {
    this.#answered = true;
    const sender = this.#sender;
    sender.headers(this.id, head, false);
    const size = PREFIX_BYTES + message.length;
    if (size <= Math.min(this.#sendWindow, sender.window, FRAME_BYTES_MAX)) {
      this.#spend(size);
      const { out } = sender;
      out.frameHeader(FrameType.DATA, 0, this.id, size);
      out.uint8(0);
      out.uint32(message.length);
      out.append(message);
      this.#finish();
    } else {
      this.#rest = Buffer.allocUnsafe(size);
      this.#rest[0] = 0;
      this.#rest.writeUInt32BE(message.length, 1);
      this.#rest.set(message, PREFIX_BYTES);
      this.#heldBytes.take(size);
      sender.block(this);
    }
    sender.flushSoon();
  }

  /** Sends headers alone, which end the answer. */
  answerWithHeaders(block: Buffer): void {
    this.#answered = true;
    this.#sender.headers(this.id, block, true);
    this.#endSending();
    this.#sender.flushSoon();
  }

  /** Sends what windows allow; see {@link Blocked}. */
  advance(): boolean {
    const { out, window } = this.#sender;
    let left = Math.min(this.#sendWindow, window);
    while (this.#rest.length > 0 && left > 0) {
      const part = this.#rest.subarray(0, Math.min(left, FRAME_BYTES_MAX));
      out.frame(FrameType.DATA, 0, this.id, part);
      this.#spend(part.length);
      left -= part.length;
      this.#heldBytes.giveBack(part.length);
      this.#rest = this.#rest.subarray(part.length);
    }
    if (this.#rest.length > 0) return false;
    this.#finish();
    return true;
  }

  /** DATA arrived: `bytes` without padding, `size` with it. */
  receive(bytes: Buffer, size: number): void {
    this.#receivedBytes += size;
    this.#reader?.receive(bytes);
    if (this.#receivedBytes < CREDIT_BYTES || !this.#receiving) return;
    this.#sender.out.windowUpdate(this.id, this.#receivedBytes);
    this.#sender.flushSoon();
    this.#receivedBytes = 0;
  }

  /** END_STREAM arrived. */
  receiveEnd(): void {
    if (!this.#receiving) return;
    this.#receiving = false;
    this.#reader?.receiveEnd();
    this.#closeIfOver();
  }

  /** WINDOW_UPDATE arrived. A window that cannot be ends the stream. */
  widen(increment: number): void {
    if (increment === 0) return this.#fail(ErrorCode.PROTOCOL_ERROR);
    if (this.#sendWindow + increment > WINDOW_MAX) return this.#fail(ErrorCode.FLOW_CONTROL_ERROR);
    this.#sendWindow += increment;
    if (this.#rest.length > 0) this.#sender.advance();
  }

  /** The client's SETTINGS changed the window of every stream. */
  shiftWindow(by: number): void {
    this.#sendWindow += by;
    if (this.#sendWindow > WINDOW_MAX)
      throw new ConnectionError(ErrorCode.FLOW_CONTROL_ERROR, 'a stream window beyond 2^31 - 1');
  }

  /** RST_STREAM arrived, or the connection is gone. */
  close(): void {
    const reader = this.#reader;
    if (reader === undefined) return;
    this.#reader = undefined;
    this.#receiving = false;
    this.#sending = false;
    if (this.#rest.length > 0) {
      this.#heldBytes.giveBack(this.#rest.length);
      this.#rest = NO_BYTES;
      this.#sender.unblock(this);
    }
    this.#onClose(this);
    reader.closed();
  }

  #fail(code: number): void {
    this.#sender.reset(this.id, code);
    this.close();
  }

  #spend(bytes: number): void {
    this.#sendWindow -= bytes;
    this.#sender.spendOnLane(bytes);
  }

  #finish(): void {
    this.#sender.headers(this.id, this.#reader?.trailers ?? NO_BYTES, true);
    this.#endSending();
  }

  #endSending(): void {
    this.#sending = false;
    this.#closeIfOver();
  }

  #closeIfOver(): void {
    if (!this.#sending && !this.#receiving) this.close();
  }
}
