/**
 * One HTTP/2 connection that does nothing but gRPC calls, written by hand over a socket: a call
 * costs the client a fraction of what grpc-js or node:http2 take, so that the client's share of the
 * machine stays small beside the server's. It speaks exactly what these benches need and ends with
 * an error at anything else.
 */

import { connect, type Socket } from 'node:net';

import { FrameBuffer } from '../../../src/grpc/http2/frame-buffer.ts';
import {
  Flag,
  FRAME_BYTES_MAX,
  FRAME_HEADER_BYTES,
  FrameType,
  PREFACE,
  Setting,
  WINDOW_DEFAULT,
} from '../../../src/grpc/http2/protocol.ts';
import { type CallEnd, countMessages, GrpcStream } from './grpc-stream.ts';
import { isOkTrailer, RequestHeaders, trailerStatus } from './headers.ts';

const WINDOW_LARGE = 2 ** 30;

/** What a connection does beyond the usual. */
export interface ConnectionOptions {
  /** Bytes of responses that each stream may send before anybody reads; default 1 GiB. */
  readonly streamWindowBytes?: number;
  /** False: responses are received up to the windows and never acknowledged, as by a reader that hangs. */
  readonly reads?: boolean;
}

/** Call `flush()` after a batch of calls: until then they only wait in a buffer. */
export class GrpcConnection {
  readonly #socket: Socket;
  readonly #options: ConnectionOptions;
  readonly #headers: RequestHeaders;
  readonly #streams = new Map<number, GrpcStream>();
  readonly #blocked = new Set<GrpcStream>();
  readonly #out = new FrameBuffer();
  #rest: Buffer | undefined;
  #nextId = 1;
  #sendWindow = WINDOW_DEFAULT;
  #streamSendWindow = WINDOW_DEFAULT;
  #frameBytesMax = FRAME_BYTES_MAX;
  #received = 0;
  #okTrailer: Buffer | undefined;
  #failure: Error | undefined;

  /** Connects and offers its settings. `path` is the method that every call of this connection is for. */
  static async open(address: string, path: string, options: ConnectionOptions = {}): Promise<GrpcConnection> {
    const [host = '', port = ''] = address.split(':');
    const socket = connect({ host, port: Number(port), noDelay: true });
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
    return new GrpcConnection(socket, new RequestHeaders(address, path), options);
  }

  private constructor(socket: Socket, headers: RequestHeaders, options: ConnectionOptions) {
    this.#socket = socket;
    this.#headers = headers;
    this.#options = options;
    socket.on('data', (chunk) => this.#receive(chunk));
    socket.on('error', (error) => this.#fail(error));
    socket.on('close', () => this.#fail(new Error('the server closed the connection')));
    this.#out.append(PREFACE);
    this.#out.append(settingsFrame(options.streamWindowBytes ?? WINDOW_LARGE));
    this.#out.windowUpdate(0, WINDOW_LARGE);
    this.flush();
  }

  /** Whether the connection is gone: every further call throws. */
  get lost(): boolean {
    return this.#failure !== undefined;
  }

  /** Starts a unary call; `framed` is the message behind its five bytes. */
  call(framed: Buffer, onEnd: (end: CallEnd) => void): void {
    const stream = this.#start(onEnd, undefined);
    if (framed.length <= Math.min(this.#sendWindow, stream.sendWindow, this.#frameBytesMax)) {
      this.#sendWindow -= framed.length;
      this.#out.frame(FrameType.DATA, Flag.END_STREAM, stream.id, framed);
      return;
    }
    stream.halfClose = true;
    // The caller's buffer is a template that the next call overwrites.
    stream.pending.push(Buffer.from(framed));
    this.#advance(stream);
  }

  /** Opens a stream of requests; `onMessages` hears how many responses each read brought. */
  open(onMessages: (messages: number) => void, onEnd: (end: CallEnd) => void): GrpcStream {
    return this.#start(onEnd, onMessages);
  }

  /** Sends framed messages on an open stream; keeps the buffer. */
  send(stream: GrpcStream, framed: Buffer): void {
    stream.pending.push(framed);
    this.#advance(stream);
  }

  /** Says that no more requests follow. */
  halfClose(stream: GrpcStream): void {
    stream.halfClose = true;
    this.#advance(stream);
  }

  /** Hands what was appended to the socket. */
  flush(): void {
    const bytes = this.#out.take();
    if (bytes !== undefined) this.#socket.write(bytes);
  }

  /** Cuts the connection; calls in flight end with -1. */
  close(): void {
    this.#socket.destroy();
  }

  #start(onEnd: (end: CallEnd) => void, onMessages: ((messages: number) => void) | undefined): GrpcStream {
    if (this.#failure !== undefined) throw this.#failure;
    const stream = new GrpcStream(this.#nextId, this.#streamSendWindow, onEnd, onMessages);
    this.#nextId += 2;
    this.#streams.set(stream.id, stream);
    this.#out.frame(FrameType.HEADERS, Flag.END_HEADERS, stream.id, this.#headers.next());
    return stream;
  }

  /** Sends what the windows allow. */
  #advance(stream: GrpcStream): void {
    while (stream.pending.length > 0) {
      const [buffer] = stream.pending;
      if (buffer === undefined) break;
      const size = Math.min(buffer.length, this.#sendWindow, stream.sendWindow, this.#frameBytesMax);
      if (size <= 0) {
        this.#blocked.add(stream);
        return;
      }
      this.#sendWindow -= size;
      stream.sendWindow -= size;
      const last = size === buffer.length && stream.pending.length === 1;
      const ends = last && stream.halfClose;
      this.#out.frame(FrameType.DATA, ends ? Flag.END_STREAM : 0, stream.id, buffer.subarray(0, size));
      if (ends) stream.halfClosed = true;
      if (size === buffer.length) stream.pending.shift();
      else stream.pending[0] = buffer.subarray(size);
    }
    this.#blocked.delete(stream);
    if (stream.halfClose && !stream.halfClosed) {
      stream.halfClosed = true;
      this.#out.frame(FrameType.DATA, Flag.END_STREAM, stream.id, Buffer.alloc(0));
    }
  }

  #receive(chunk: Buffer): void {
    const data = this.#rest === undefined ? chunk : Buffer.concat([this.#rest, chunk]);
    let position = 0;
    while (data.length - position >= FRAME_HEADER_BYTES) {
      const length = data.readUIntBE(position, 3);
      const end = position + FRAME_HEADER_BYTES + length;
      if (end > data.length) break;
      const type = data[position + 3] ?? 0;
      const flags = data[position + 4] ?? 0;
      const id = data.readUInt32BE(position + 5) & 0x7fffffff;
      try {
        this.#frame(type, flags, id, data, position + FRAME_HEADER_BYTES, end);
      } catch (error) {
        this.#socket.destroy(error as Error);
        return;
      }
      position = end;
    }
    this.#rest = position < data.length ? data.subarray(position) : undefined;
    this.flush();
  }

  #frame(type: number, flags: number, id: number, data: Buffer, start: number, end: number): void {
    switch (type) {
      case FrameType.DATA:
        return this.#receiveData(id, flags, data, start, end);
      case FrameType.HEADERS:
        return this.#receiveHeaders(id, flags, data.subarray(start, end));
      case FrameType.RST_STREAM:
        return this.#end(id, -1);
      case FrameType.SETTINGS:
        if ((flags & Flag.ACK) === 0) this.#applySettings(data, start, end);
        return;
      case FrameType.PING:
        if ((flags & Flag.ACK) === 0) this.#out.frame(FrameType.PING, Flag.ACK, 0, data.subarray(start, end));
        return;
      case FrameType.WINDOW_UPDATE:
        return this.#windowUpdate(id, data.readUInt32BE(start) & 0x7fffffff);
      case FrameType.GOAWAY:
        throw new Error(`the server said GOAWAY with code ${data.readUInt32BE(start + 4)}`);
      default:
        throw new Error(`unexpected HTTP/2 frame of type ${type}`);
    }
  }

  #receiveData(id: number, flags: number, data: Buffer, start: number, end: number): void {
    if ((flags & Flag.PADDED) !== 0) throw new Error('padding is not supported');
    const length = end - start;
    if (this.#options.reads !== false) this.#acknowledge(length);
    const stream = this.#streams.get(id);
    if (stream === undefined) return;
    const before = stream.messages;
    countMessages(stream, data, start, end);
    stream.received += length;
    if (stream.received > WINDOW_LARGE / 2 && this.#options.reads !== false) {
      this.#out.windowUpdate(id, stream.received);
      stream.received = 0;
    }
    if (stream.messages > before) stream.onMessages?.(stream.messages - before);
    if ((flags & Flag.END_STREAM) !== 0) this.#end(id, -1);
  }

  #acknowledge(length: number): void {
    this.#received += length;
    if (this.#received < WINDOW_LARGE / 2) return;
    this.#out.windowUpdate(0, this.#received);
    this.#received = 0;
  }

  #receiveHeaders(id: number, flags: number, block: Buffer): void {
    if ((flags & Flag.END_HEADERS) === 0) throw new Error('CONTINUATION is not supported');
    if ((flags & Flag.END_STREAM) === 0) return;
    if (this.#okTrailer?.equals(block)) return this.#end(id, 0);
    // Without a dynamic table equal trailers are equal bytes: read once, compared ever after.
    if (isOkTrailer(block)) this.#okTrailer = Buffer.from(block);
    this.#end(id, trailerStatus(block));
  }

  #end(id: number, status: number): void {
    const stream = this.#streams.get(id);
    if (stream === undefined) return;
    this.#streams.delete(id);
    this.#blocked.delete(stream);
    stream.onEnd({ status, messages: stream.messages, messageBytes: stream.messageBytes });
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    for (const id of [...this.#streams.keys()]) this.#end(id, -1);
  }

  #applySettings(data: Buffer, start: number, end: number): void {
    for (let at = start; at < end; at += 6) {
      const value = data.readUInt32BE(at + 2);
      const setting = data.readUInt16BE(at);
      if (setting === Setting.MAX_FRAME_SIZE) this.#frameBytesMax = value;
      if (setting !== Setting.INITIAL_WINDOW_SIZE) continue;
      for (const stream of this.#streams.values()) stream.sendWindow += value - this.#streamSendWindow;
      this.#streamSendWindow = value;
    }
    this.#out.frame(FrameType.SETTINGS, Flag.ACK, 0, Buffer.alloc(0));
    for (const stream of [...this.#blocked]) this.#advance(stream);
  }

  #windowUpdate(id: number, increment: number): void {
    if (id === 0) {
      this.#sendWindow += increment;
      for (const stream of [...this.#blocked]) this.#advance(stream);
      return;
    }
    const stream = this.#streams.get(id);
    if (stream === undefined) return;
    stream.sendWindow += increment;
    if (this.#blocked.has(stream)) this.#advance(stream);
  }
}

/**
 * The client's settings. A server without a dynamic header table sends equal headers as equal bytes,
 * which a client can compare instead of decode.
 */
function settingsFrame(streamWindowBytes: number): Buffer {
  const values = [
    [Setting.HEADER_TABLE_SIZE, 0],
    [Setting.ENABLE_PUSH, 0],
    [Setting.INITIAL_WINDOW_SIZE, streamWindowBytes],
  ] as const;
  const payload = Buffer.alloc(6 * values.length);
  for (const [index, [setting, value]] of values.entries()) {
    payload.writeUInt16BE(setting, index * 6);
    payload.writeUInt32BE(value, index * 6 + 2);
  }
  const frames = new FrameBuffer();
  frames.frame(FrameType.SETTINGS, 0, 0, payload);
  return frames.take() ?? payload;
}
