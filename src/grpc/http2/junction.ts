/** What a client sends, frame by frame: to the lane, to node:http2, or to both. */

import type { HeldBytes } from '../held-bytes.ts';
import { clientSettings } from './client-settings.ts';
import { resetFrame, windowUpdateFrame } from './frame-buffer.ts';
import { FrameReader } from './frame-reader.ts';
import { type HeaderBlock, HeaderBlocks } from './header-blocks.ts';
import { type HeaderField, type HeaderList, HpackDecoder } from './hpack-decoder.ts';
import type { InnerConnection } from './inner-connection.ts';
import { InnerFeed } from './inner-feed.ts';
import { LaneStream, type LaneStreamOptions, type StreamReader } from './lane-stream.ts';
import {
  ConnectionError,
  ErrorCode,
  Flag,
  FRAME_BYTES_MAX,
  FrameType,
  PREFACE,
  TABLE_BYTES_DEFAULT,
  WINDOW_DEFAULT,
  WINDOW_MAX,
} from './protocol.ts';
import { ResetBudget } from './reset-budget.ts';
import type { Sender } from './sender.ts';

/** Begins to serve a stream. */
export type Opener = (stream: LaneStream) => StreamReader;

/** Who serves requests with these headers here; undefined: node:http2 shall. */
export type Lane = (fields: readonly HeaderField[]) => Opener | undefined;

/** What a junction needs. */
export interface JunctionOptions {
  readonly lane: Lane;
  readonly heldBytes: HeldBytes;
  /** How long an answer waits for a client that has no window for it, or for all of it. */
  readonly untakenMaxMs: number;
  /** Streams that may be open at once, on either side. */
  readonly streamsMax: number;
  /** The lane has its first open stream, or none any more. */
  readonly onBusy: (busy: boolean) => void;
}

/** More than any caller has. */
const HEADER_LIST_BYTES_MAX = 64 * 1024;
/**
 * The client is told of what the lane has received when it is this much. node:http2 keeps up to half a
 * window to itself; together they must leave the client enough.
 */
const CONNECTION_CREDIT_BYTES = WINDOW_DEFAULT >> 3;

/** Sorts the frames of one connection. */
export class Junction {
  readonly #sender: Sender;
  readonly #inner: InnerConnection;
  readonly #options: JunctionOptions;
  readonly #feed: InnerFeed;
  readonly #frame = new FrameReader(FRAME_BYTES_MAX);
  readonly #blocks = new HeaderBlocks();
  readonly #headers = new HpackDecoder({
    tableBytesMax: TABLE_BYTES_DEFAULT,
    listBytesMax: HEADER_LIST_BYTES_MAX,
  });
  readonly #resets = new ResetBudget();
  /** Open streams of the lane. */
  readonly #streams = new Map<number, LaneStream>();
  readonly #streamOptions: LaneStreamOptions;
  /** What arrived of the preface; undefined: all of it. */
  #preface: Buffer | undefined = Buffer.alloc(0);
  /** The last headers, and who serves them: callers send the same again and again. */
  #lastList: HeaderList | undefined;
  #lastOpener: Opener | undefined;
  #lastStreamId = 0;
  #takesOn = true;
  /** The client's window for a new stream. */
  #streamWindow = WINDOW_DEFAULT;
  #uncreditedBytes = 0;

  constructor(sender: Sender, inner: InnerConnection, options: JunctionOptions) {
    this.#sender = sender;
    this.#inner = inner;
    this.#feed = new InnerFeed(inner, this.#frame);
    this.#options = options;
    this.#streamOptions = { ...options, onClose: (stream) => this.#closed(stream) };
  }

  /** Whether the lane has no open stream. */
  get laneIdle(): boolean {
    return this.#streams.size === 0;
  }

  /** Takes no new streams on; returns the last one that was. */
  stopTakingOn(): number {
    this.#takesOn = false;
    return this.#lastStreamId;
  }

  /** The client's window for every stream changes. */
  setStreamWindow(bytes: number): void {
    const shift = bytes - this.#streamWindow;
    this.#streamWindow = bytes;
    if (shift === 0) return;
    for (const stream of this.#streams.values()) stream.shiftWindow(shift);
  }

  /** Requests of the lane that have not arrived as a whole are not waited for any more. */
  hurry(): void {
    for (const stream of this.#streams.values()) stream.hurry();
  }

  /** Ends every stream of the lane without an answer. */
  close(): void {
    this.#takesOn = false;
    for (const stream of this.#streams.values()) stream.close();
  }

  /**
   * Takes what arrived; false: node:http2 should not get more for now. Throws a ConnectionError or an
   * HpackError where the client breaks the rules, after which nothing more may be given to it.
   */
  receive(chunk: Buffer): boolean {
    const frames = this.#preface === undefined ? chunk : this.#receivePreface(this.#preface, chunk);
    if (frames === undefined) return true;
    this.#frame.push(frames);
    this.#feed.begin();
    while (this.#frame.next()) this.#sort(this.#frame);
    const innerTakes = this.#feed.end();
    this.#frame.letGo();
    return innerTakes;
  }

  #receivePreface(before: Buffer, chunk: Buffer): Buffer | undefined {
    const arrived = Buffer.concat([before, chunk]);
    const { length } = arrived.subarray(0, PREFACE.length);
    if (PREFACE.compare(arrived, 0, length, 0, length) !== 0)
      throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, 'no HTTP/2');
    this.#preface = length < PREFACE.length ? arrived : undefined;
    if (this.#preface !== undefined) return undefined;
    this.#inner.forward(PREFACE);
    return arrived.subarray(length);
  }

  #sort(frame: FrameReader): void {
    if (this.#blocks.open && frame.type !== FrameType.CONTINUATION)
      throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, 'a header block that is interrupted');
    switch (frame.type) {
      case FrameType.HEADERS:
      case FrameType.CONTINUATION: {
        const block = this.#blocks.push(frame);
        if (block !== undefined) this.#receiveHeaders(block);
        return;
      }
      case FrameType.DATA:
        return this.#receiveData(frame);
      case FrameType.RST_STREAM:
        return this.#receiveReset(frame);
      case FrameType.WINDOW_UPDATE:
        return this.#receiveWindowUpdate(frame);
      case FrameType.PRIORITY:
        // Deprecated, and without effect on either side.
        return;
      case FrameType.SETTINGS:
        if (!frame.has(Flag.ACK) && frame.streamId === 0)
          this.#inner.settingsForwarded(clientSettings(frame));
        return this.#feed.forward();
      default:
        return this.#feed.forward();
    }
  }

  #receiveHeaders({ streamId, endStream, block }: HeaderBlock): void {
    const list = this.#headers.decode(block);
    const stream = this.#streams.get(streamId);
    if (stream !== undefined) {
      if (!endStream) throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, 'trailers that end nothing');
      stream.receiveEnd();
    } else if (this.#inner.streams.has(streamId)) {
      if (list.tooLarge) this.#refuse(streamId, ErrorCode.ENHANCE_YOUR_CALM);
      else this.#giveHeaders(streamId, list, endStream);
    } else if (streamId % 2 === 0) {
      throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, `a stream with the number ${streamId}`);
    } else if (streamId > this.#lastStreamId && this.#takesOn) {
      this.#lastStreamId = streamId;
      this.#open(streamId, list, endStream);
    }
    // All else was sent before the client knew that the stream is over, or that the connection ends.
  }

  #open(streamId: number, list: HeaderList, endStream: boolean): void {
    if (list.tooLarge) return this.#refuse(streamId, ErrorCode.ENHANCE_YOUR_CALM);
    if (this.#streams.size + this.#inner.streams.count >= this.#options.streamsMax)
      return this.#refuse(streamId, ErrorCode.REFUSED_STREAM);
    if (this.#lastList !== list) {
      this.#lastList = list;
      this.#lastOpener = this.#options.lane(list.fields);
    }
    const opener = this.#lastOpener;
    if (opener === undefined) {
      this.#inner.streams.begin(streamId);
      return this.#giveHeaders(streamId, list, endStream);
    }
    const stream = new LaneStream(streamId, this.#streamWindow, this.#sender, this.#streamOptions);
    this.#streams.set(streamId, stream);
    if (this.#streams.size === 1) this.#options.onBusy(true);
    stream.readBy(opener(stream), endStream);
  }

  #giveHeaders(streamId: number, { fields }: HeaderList, endStream: boolean): void {
    if (endStream) this.#inner.streams.remoteEnded(streamId);
    this.#feed.headers(streamId, fields, endStream);
  }

  #closed(stream: LaneStream): void {
    this.#streams.delete(stream.id);
    if (this.#streams.size === 0) this.#options.onBusy(false);
  }

  /** Resets a stream for what the client did; that it makes us do so costs as much as doing so itself. */
  #refuse(streamId: number, code: number): void {
    this.#countReset();
    const stream = this.#streams.get(streamId);
    if (stream !== undefined) return stream.reset(code);
    this.#sender.reset(streamId, code);
    if (!this.#inner.streams.has(streamId)) return;
    this.#feed.give(resetFrame(streamId, code));
    this.#inner.reset(streamId);
  }

  #countReset(): void {
    if (!this.#resets.spend())
      throw new ConnectionError(ErrorCode.ENHANCE_YOUR_CALM, 'too many streams were reset');
  }

  #receiveData(frame: FrameReader): void {
    const { streamId } = frame;
    const endStream = frame.has(Flag.END_STREAM);
    if (this.#inner.streams.has(streamId)) {
      this.#feed.forward();
      if (endStream) this.#inner.streams.remoteEnded(streamId);
      return;
    }
    this.#expectStream(streamId);
    const size = frame.end - frame.payload;
    this.#credit(size);
    const stream = this.#streams.get(streamId);
    if (stream === undefined) return;
    if (!stream.receive(frame.content(), size, endStream)) this.#refuse(streamId, ErrorCode.STREAM_CLOSED);
  }

  #receiveReset(frame: FrameReader): void {
    const { streamId } = frame;
    if (this.#inner.streams.has(streamId)) {
      this.#feed.forward();
      this.#inner.reset(streamId);
      return;
    }
    this.#expectStream(streamId);
    frame.uint32();
    const stream = this.#streams.get(streamId);
    if (stream === undefined) return;
    this.#countReset();
    stream.close();
  }

  #receiveWindowUpdate(frame: FrameReader): void {
    const { streamId } = frame;
    if (this.#inner.streams.has(streamId)) return this.#feed.forward();
    const increment = frame.uint32() & WINDOW_MAX;
    if (streamId !== 0) {
      this.#expectStream(streamId);
      const stream = this.#streams.get(streamId);
      if (stream === undefined) return;
      if (increment === 0) this.#refuse(streamId, ErrorCode.PROTOCOL_ERROR);
      else if (!stream.widen(increment)) this.#refuse(streamId, ErrorCode.FLOW_CONTROL_ERROR);
      return;
    }
    if (increment === 0) throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, 'a WINDOW_UPDATE of nothing');
    const ofInner = this.#sender.widen(increment);
    if (ofInner > 0) this.#feed.give(windowUpdateFrame(0, ofInner));
    this.#sender.advance();
  }

  /** Streams that never began have no frames. */
  #expectStream(streamId: number): void {
    if (this.#takesOn && (streamId === 0 || streamId > this.#lastStreamId))
      throw new ConnectionError(ErrorCode.PROTOCOL_ERROR, `no stream ${streamId}`);
  }

  #credit(bytes: number): void {
    this.#uncreditedBytes += bytes;
    if (this.#uncreditedBytes < CONNECTION_CREDIT_BYTES) return;
    this.#sender.out.windowUpdate(0, this.#uncreditedBytes);
    this.#sender.flushSoon();
    this.#uncreditedBytes = 0;
  }
}
