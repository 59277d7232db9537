/**
 * The part of a client connection that node:http2 serves, below grpc-js: all streams that the lane
 * leaves alone, and everything about the connection itself (SETTINGS, PING, GOAWAY, its age). To
 * node:http2 it looks like a socket.
 */

import { Duplex } from 'node:stream';

import type { HeldBytes } from '../held-bytes.ts';
import type { ClientSettings } from './client-settings.ts';
import { windowUpdateFrame } from './frame-buffer.ts';
import { FrameReader } from './frame-reader.ts';
import { type HeaderField, HpackDecoder } from './hpack-decoder.ts';
import { HeldFrames, type OutgoingFrame } from './held-frames.ts';
import { encodeFields } from './hpack-encoder.ts';
import { InnerStreams } from './inner-streams.ts';
import { ConnectionError, ErrorCode, Flag, FrameType, TABLE_BYTES_DEFAULT, WINDOW_MAX } from './protocol.ts';
import type { Sender, Waiting } from './sender.ts';

/** What it tells the connection. */
export interface InnerEvents {
  /** node:http2 has begun: its SETTINGS are on their way to the client. */
  readonly onOpen: () => void;
  /** It takes more again, after `forward` said that it does not. */
  readonly onDrain: () => void;
  /** These settings of the client count from now on: node:http2 has acknowledged them. */
  readonly onSettings: (settings: ClientSettings) => void;
  /** A GOAWAY goes out: no more streams are taken on; returns the last one that was. */
  readonly onGoaway: () => number;
  /** node:http2 has nothing more to send; some of it may wait for the window. */
  readonly onEnd: () => void;
  /** Everything that node:http2 has sent is on its way to the client. */
  readonly onSent: () => void;
  /** node:http2 wants the connection cut. */
  readonly onDestroy: () => void;
  /**
   * What node:http2 sent cannot be handed on, or what follows from it cannot be done. A ConnectionError
   * where the client's SETTINGS are the cause; anything else is a defect.
   */
  readonly onFault: (error: unknown) => void;
}

/** node:http2 acknowledges them one by one; nghttp2 allows as many acknowledgements to wait. */
const SETTINGS_MAX = 1000;

/** A socket for node:http2: what it writes becomes frames for the client. */
export class InnerConnection extends Duplex implements Waiting {
  /** Open streams of node:http2. */
  readonly streams = new InnerStreams();
  readonly #sender: Sender;
  readonly #events: InnerEvents;
  readonly #reader = new FrameReader(2 ** 24);
  readonly #held: HeldFrames;
  /**
   * What node:http2 refers to in its header blocks is no order for the client: blocks wait for the
   * window, others overtake them. So they are read here, and written again without a table.
   */
  readonly #decoder = new HpackDecoder({ tableBytesMax: TABLE_BYTES_DEFAULT, listBytesMax: Infinity });
  /** The start of a header block that is in several frames. */
  #headers: OutgoingFrame | undefined;
  /** SETTINGS of the client that node:http2 has not acknowledged, in their order. */
  readonly #settings: ClientSettings[] = [];
  #tableSize = TABLE_BYTES_DEFAULT;
  #open = false;
  #afterWrite: (() => void) | undefined;
  #afterHeld: (() => void) | undefined;

  constructor(sender: Sender, heldBytes: HeldBytes, events: InnerEvents) {
    super();
    this.#sender = sender;
    this.#held = new HeldFrames(heldBytes);
    this.#events = events;
  }

  /** Hands frames of the client to node:http2; false: it should not get more for now. */
  forward(frames: Buffer): boolean {
    return this.push(frames);
  }

  /** The client's SETTINGS are handed on. */
  settingsForwarded(settings: ClientSettings): void {
    if (this.#settings.length >= SETTINGS_MAX)
      throw new ConnectionError(ErrorCode.ENHANCE_YOUR_CALM, 'too many SETTINGS at once');
    this.#settings.push(settings);
  }

  /** Either side reset a stream: what waits on it is for nobody. */
  reset(streamId: number): void {
    this.streams.reset(streamId);
    const dataBytes = this.#held.drop(streamId);
    // node:http2 gets the window back that it took.
    if (dataBytes > 0) this.push(windowUpdateFrame(0, dataBytes));
    // Whoever waits for the last of it does not wait for a window that nobody needs.
    if (this.#held.empty) this.advance();
  }

  /** The socket takes more again. */
  socketDrained(): void {
    const next = this.#afterWrite;
    this.#afterWrite = undefined;
    next?.();
  }

  override _read(): void {
    this.#events.onDrain();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: () => void): void {
    this.#take([chunk], callback);
  }

  /** node:http2 hands over the heads of frames and their payloads in pieces. */
  override _writev(pieces: { readonly chunk: Buffer }[], callback: () => void): void {
    this.#take(
      pieces.map(({ chunk }) => chunk),
      callback,
    );
  }

  override _final(callback: () => void): void {
    this.#events.onEnd();
    const sent = (): void => {
      this.#events.onSent();
      callback();
    };
    if (this.#held.empty) sent();
    else this.#afterHeld = sent;
  }

  override _destroy(_error: Error | null, callback: (error?: null) => void): void {
    this.#held.clear();
    this.#events.onDestroy();
    callback();
  }

  /** Sends what the window allows of what waits for it; see {@link Waiting}. */
  advance(): boolean {
    this.#held.advance((frame) => this.#send(frame));
    if (!this.#held.empty) return false;
    const next = this.#afterHeld;
    this.#afterHeld = undefined;
    next?.();
    return true;
  }

  #take(chunks: readonly Buffer[], callback: () => void): void {
    try {
      for (const chunk of chunks) {
        this.#reader.push(chunk);
        while (this.#reader.next()) this.#pass(this.#reader);
      }
    } catch (error) {
      // Thrown here, it would end the process.
      this.#events.onFault(error);
    }
    this.#sender.flush();
    if (!this.#open) {
      this.#open = true;
      this.#events.onOpen();
    }
    if (this.#sender.full) this.#afterWrite = callback;
    else callback();
  }

  #pass({ type, flags, streamId, bytes, start, payload, end }: FrameReader): void {
    switch (type) {
      case FrameType.HEADERS:
      case FrameType.CONTINUATION:
        return this.#passHeaders({ type, flags, streamId, bytes: bytes.subarray(payload, end) });
      case FrameType.DATA:
        return this.#sendOrHold({ type, flags, streamId, bytes: bytes.subarray(payload, end) });
      case FrameType.RST_STREAM:
        this.reset(streamId);
        break;
      case FrameType.SETTINGS:
        // In this order: the client applies its settings when it reads the acknowledgement.
        this.#sender.out.append(bytes.subarray(start, end));
        if ((flags & Flag.ACK) !== 0) this.#settingsAcknowledged();
        return;
      case FrameType.GOAWAY:
        if (bytes.readUInt32BE(payload) < WINDOW_MAX) bytes.writeUInt32BE(this.#events.onGoaway(), payload);
        break;
    }
    this.#sender.out.append(bytes.subarray(start, end));
  }

  #passHeaders(frame: OutgoingFrame): void {
    const whole = this.#headers ?? frame;
    if (whole !== frame) whole.bytes = Buffer.concat([whole.bytes, frame.bytes]);
    this.#headers = (frame.flags & Flag.END_HEADERS) === 0 ? whole : undefined;
    if (this.#headers !== undefined) return;
    whole.bytes = encodeFields(this.#decode(whole.bytes));
    this.#sendOrHold(whole);
  }

  #decode(block: Buffer): readonly HeaderField[] {
    try {
      return this.#decoder.decode(block).fields;
    } catch (cause) {
      // An HpackError by itself would be taken for the client's.
      throw new Error('the headers of node:http2 cannot be read', { cause });
    }
  }

  #sendOrHold(frame: OutgoingFrame): void {
    if (!this.#held.has(frame.streamId) && this.#send(frame)) return;
    this.#held.push(frame);
    this.#sender.sendOrWait(this);
  }

  /** Appends the frame; of DATA what the window allows. False: a rest is left in `frame`. */
  #send(frame: OutgoingFrame): boolean {
    const { out, window } = this.#sender;
    const { type, flags, streamId, bytes } = frame;
    const ends = (flags & Flag.END_STREAM) !== 0;
    if (type !== FrameType.DATA || bytes.length <= window) {
      if (type === FrameType.HEADERS) {
        this.#sender.headers(streamId, bytes, ends);
      } else {
        out.frame(type, flags, streamId, bytes);
        this.#sender.spend(bytes.length);
      }
      if (ends) this.streams.localEnded(streamId);
      return true;
    }
    if (window > 0) {
      out.frame(type, 0, streamId, bytes.subarray(0, window));
      this.#sender.spend(window);
      frame.bytes = bytes.subarray(window);
    }
    return false;
  }

  #settingsAcknowledged(): void {
    const settings = this.#settings.shift();
    if (settings === undefined) return;
    if (settings.tableSize !== undefined) {
      // node:http2 never uses more.
      const size = Math.min(settings.tableSize, TABLE_BYTES_DEFAULT);
      if (size < this.#tableSize) this.#sender.tableSizeIs(size);
      this.#tableSize = size;
    }
    this.#events.onSettings(settings);
  }
}
