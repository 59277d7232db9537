/** One HTTP/2 stream of the lane: its two halves, and how its answer goes out. */

import { PREFIX_BYTES } from '../codec.ts';
import type { HeldBytes } from '../held-bytes.ts';
import {
  ConnectionError,
  ErrorCode,
  FRAME_BYTES_MAX,
  FrameType,
  WINDOW_DEFAULT,
  WINDOW_MAX,
} from './protocol.ts';
import type { Sender, Waiting } from './sender.ts';

/** Who reads a stream. */
export interface StreamReader {
  /** The trailers behind the message, asked for when they are sent. */
  readonly trailers: Buffer;
  /** Called once, before all else: answers may be sent from now on. */
  begin(): void;
  /** Bytes arrived. They are lent: unless they are the last ones, what is kept of them is to be copied. */
  receive(bytes: Buffer, last: boolean): void;
  /** Nothing more arrives. */
  receiveEnd(): void;
  /** What has not arrived by now is not to be waited for. */
  hurry(): void;
  /** The stream is over: both halves ended, or it was reset. Called once. */
  closed(): void;
}

/** The client is told of what was received when it is this much, so that it may go on sending. */
const STREAM_CREDIT_BYTES = WINDOW_DEFAULT >> 1;
const NO_BYTES = Buffer.alloc(0);

/** What streams need of their connection. */
export interface LaneStreamOptions {
  readonly heldBytes: HeldBytes;
  /** How long an answer waits for a client that has no window for it, or for all of it. */
  readonly untakenMaxMs: number;
  /** Called once for each stream, before its reader hears of it. */
  readonly onClose: (stream: LaneStream) => void;
}

/** A stream between its first headers and its end. */
export class LaneStream implements Waiting {
  readonly id: number;
  readonly #sender: Sender;
  readonly #options: LaneStreamOptions;
  #reader: StreamReader | undefined;
  #sendWindow: number;
  #receivedBytes = 0;
  /** What windows hold back of the answer, and whether some of it is out. */
  #rest: Buffer = NO_BYTES;
  #begun = false;
  #untaken: NodeJS.Timeout | undefined;
  #receiving = true;
  #answered = false;
  #sending = true;

  /** `window`: the client's for a stream, as its SETTINGS have it now. */
  constructor(id: number, window: number, sender: Sender, options: LaneStreamOptions) {
    this.id = id;
    this.#sender = sender;
    this.#options = options;
    this.#sendWindow = window;
  }

  /** To be called once, before anything arrives; `last`: nothing will. */
  readBy(reader: StreamReader, last: boolean): void {
    this.#reader = reader;
    this.#receiving = !last;
    reader.begin();
    if (last) this.#endReading();
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
      this.#options.heldBytes.take(size);
      sender.sendOrWait(this);
      if (this.#rest.length > 0)
        this.#untaken = setTimeout(() => this.reset(ErrorCode.CANCEL), this.#options.untakenMaxMs);
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

  /**
   * Stops waiting for a window, where the answer does: what is not out is dropped. The reader's trailers
   * say why, unless they would end a message in its middle.
   */
  giveUpAnswer(): void {
    if (this.#rest.length === 0) return;
    if (this.#begun) return this.reset(ErrorCode.CANCEL);
    this.#dropRest();
    this.#finish();
    this.#sender.flushSoon();
  }

  /** Sends what windows allow; see {@link Waiting}. */
  advance(): boolean {
    const { out, window } = this.#sender;
    let left = Math.min(this.#sendWindow, window);
    while (this.#rest.length > 0 && left > 0) {
      const part = this.#rest.subarray(0, Math.min(left, FRAME_BYTES_MAX));
      out.frame(FrameType.DATA, 0, this.id, part);
      this.#spend(part.length);
      left -= part.length;
      this.#begun = true;
      this.#options.heldBytes.giveBack(part.length);
      this.#rest = this.#rest.subarray(part.length);
    }
    // What waits for a window of its own is not woken by every change of the connection's.
    if (this.#rest.length > 0) return this.#sendWindow <= 0;
    if (this.#sending) this.#finish();
    return true;
  }

  /**
   * DATA arrived: `bytes` without padding, `size` with it; `last`: and nothing follows. False: it should
   * not, because the client has ended its half.
   */
  receive(bytes: Buffer, size: number, last: boolean): boolean {
    if (!this.#receiving) return false;
    this.#receivedBytes += size;
    // Before the reader may answer: a client whose half has ended need not be told to stop.
    this.#receiving = !last;
    this.#reader?.receive(bytes, last);
    if (last) this.#endReading();
    else this.#credit();
    return true;
  }

  #credit(): void {
    if (this.#receivedBytes < STREAM_CREDIT_BYTES || !this.#receiving) return;
    this.#sender.out.windowUpdate(this.id, this.#receivedBytes);
    this.#sender.flushSoon();
    this.#receivedBytes = 0;
  }

  /** END_STREAM arrived. */
  receiveEnd(): void {
    if (!this.#receiving) return;
    this.#receiving = false;
    this.#endReading();
  }

  #endReading(): void {
    this.#reader?.receiveEnd();
  }

  /** A request that has not arrived as a whole is not waited for any more. */
  hurry(): void {
    if (this.#receiving) this.#reader?.hurry();
  }

  /** WINDOW_UPDATE arrived. False: the window cannot be that wide. */
  widen(increment: number): boolean {
    if (this.#sendWindow + increment > WINDOW_MAX) return false;
    this.#shift(increment);
    return true;
  }

  /** The client's SETTINGS changed the window of every stream. */
  shiftWindow(by: number): void {
    if (this.#sendWindow + by > WINDOW_MAX)
      throw new ConnectionError(ErrorCode.FLOW_CONTROL_ERROR, 'a stream window beyond 2^31 - 1');
    this.#shift(by);
  }

  /** Ends the stream at once, without an answer or in the middle of one. */
  reset(code: number): void {
    this.#sender.reset(this.id, code);
    this.close();
  }

  /** RST_STREAM arrived, or the connection is gone. */
  close(): void {
    const reader = this.#reader;
    if (reader === undefined) return;
    this.#reader = undefined;
    this.#receiving = false;
    this.#sending = false;
    this.#dropRest();
    clearTimeout(this.#untaken);
    this.#options.onClose(this);
    reader.closed();
  }

  #shift(by: number): void {
    this.#sendWindow += by;
    if (this.#rest.length > 0 && by > 0) {
      this.#sender.sendOrWait(this);
      this.#sender.flushSoon();
    }
  }

  #dropRest(): void {
    if (this.#rest.length === 0) return;
    this.#options.heldBytes.giveBack(this.#rest.length);
    this.#rest = NO_BYTES;
    this.#sender.stopWaiting(this);
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
    if (!this.#receiving) return this.close();
    // Nobody reads what the client still sends (RFC 9113, 8.1).
    this.reset(ErrorCode.NO_ERROR);
  }
}
