/**
 * One HTTP/2 connection that does nothing but gRPC calls. It is written by hand because a call then
 * costs the client a fraction of what grpc-js or node:http2 take: the client shares two cores with the
 * server and must not be what is measured. It implements only what the bench needs, and fails if the
 * server sends anything else.
 */

import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';

import {
  Flag,
  FRAME_BYTES_MAX,
  FRAME_HEADER_BYTES,
  FrameBuffer,
  FrameType,
  PREFACE,
  Setting,
  WINDOW_DEFAULT,
} from './frames.ts';
import { RequestHeaders, trailerStatus } from './headers.ts';
import type { Access } from './jobs.ts';
import { MessageCounter } from './message-counter.ts';

const RECEIVE_WINDOW_BYTES = 2 ** 30;
const NOTHING = Buffer.alloc(0);

/** How a call ended. */
export interface CallEnd {
  /** `grpc-status`; -1 if the stream was reset or the connection was lost. */
  readonly status: number;
  readonly messages: number;
  /** Bytes of all response messages, without their prefixes. */
  readonly messageBytes: number;
}

/** A call in flight. */
export interface GrpcStream {
  readonly id: number;
  readonly counter: MessageCounter;
  readonly onEnd: (end: CallEnd) => void;
  readonly onMessages: ((messages: number) => void) | undefined;
  sendWindow: number;
  /** Bytes received since the last WINDOW_UPDATE. */
  received: number;
  /** Framed requests that wait for a window. */
  pending: Buffer[];
  halfClose: boolean;
  halfClosed: boolean;
}

/** Call `flush()` after a batch of calls: until then they only wait in a buffer. */
export class GrpcConnection {
  readonly #socket: Socket;
  readonly #headers: RequestHeaders;
  readonly #streams = new Map<number, GrpcStream>();
  /** Streams with pending requests. */
  readonly #blocked = new Set<GrpcStream>();
  readonly #out = new FrameBuffer();
  /** The beginning of a frame whose end has not arrived. */
  #rest: Buffer | undefined;
  #nextId = 1;
  #sendWindow = WINDOW_DEFAULT;
  #streamSendWindow = WINDOW_DEFAULT;
  #frameBytesMax = FRAME_BYTES_MAX;
  #received = 0;
  #okTrailer: Buffer | undefined;
  #failure: Error | undefined;

  /** Connects. `path` is the method that every call of this connection is for. `access`: over TLS, with a credential. */
  static async open(address: string, path: string, access?: Access): Promise<GrpcConnection> {
    const [host = '', port = ''] = address.split(':');
    const target = { host, port: Number(port) };
    const socket =
      access === undefined
        ? connect(target)
        : connectTls({ ...target, ca: readFileSync(access.caFile), ALPNProtocols: ['h2'] });
    socket.setNoDelay(true);
    await new Promise<void>((resolve, reject) => {
      socket.once(access === undefined ? 'connect' : 'secureConnect', resolve);
      socket.once('error', reject);
    });
    return new GrpcConnection(socket, new RequestHeaders(address, path, access?.authorization));
  }

  private constructor(socket: Socket, headers: RequestHeaders) {
    this.#socket = socket;
    this.#headers = headers;
    socket.on('data', (chunk) => this.#receive(chunk));
    socket.on('error', (error) => this.#fail(error));
    socket.on('close', () => this.#fail(new Error('the server closed the connection')));
    this.#out.append(PREFACE);
    this.#out.settings([
      // A server without a dynamic header table sends equal trailers as equal bytes, which can be
      // compared instead of decoded.
      [Setting.HEADER_TABLE_SIZE, 0],
      [Setting.ENABLE_PUSH, 0],
      [Setting.INITIAL_WINDOW_SIZE, RECEIVE_WINDOW_BYTES],
    ]);
    this.#out.windowUpdate(0, RECEIVE_WINDOW_BYTES);
    this.flush();
  }

  /** Whether the connection is gone: every further call throws. */
  get lost(): boolean {
    return this.#failure !== undefined;
  }

  /** Starts a unary call; `framed` is the message after its five bytes of prefix. Copies the buffer if it must wait. */
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

  /** Opens a stream of requests; `onMessages` gets the number of responses that each read brought. */
  open(onMessages: (messages: number) => void, onEnd: (end: CallEnd) => void): GrpcStream {
    return this.#start(onEnd, onMessages);
  }

  /** Sends framed messages on an open stream; keeps the buffer. */
  send(stream: GrpcStream, framed: Buffer): void {
    stream.pending.push(framed);
    this.#advance(stream);
  }

  /** Ends the requests of a stream. */
  halfClose(stream: GrpcStream): void {
    stream.halfClose = true;
    this.#advance(stream);
  }

  /** Writes what was appended to the socket. */
  flush(): void {
    const bytes = this.#out.take();
    if (bytes !== undefined) this.#socket.write(bytes);
  }

  /** Cuts the connection; calls in flight end with status -1. */
  close(): void {
    this.#socket.destroy();
  }

  #start(onEnd: GrpcStream['onEnd'], onMessages: GrpcStream['onMessages']): GrpcStream {
    if (this.#failure !== undefined) throw this.#failure;
    const stream: GrpcStream = {
      id: this.#nextId,
      counter: new MessageCounter(),
      onEnd,
      onMessages,
      sendWindow: this.#streamSendWindow,
      received: 0,
      pending: [],
      halfClose: false,
      halfClosed: false,
    };
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
      if (size === buffer.length) stream.pending.shift();
      else stream.pending[0] = buffer.subarray(size);
      stream.halfClosed = stream.halfClose && stream.pending.length === 0;
      const flags = stream.halfClosed ? Flag.END_STREAM : Flag.NONE;
      this.#out.frame(FrameType.DATA, flags, stream.id, buffer.subarray(0, size));
    }
    this.#blocked.delete(stream);
    if (!stream.halfClose || stream.halfClosed) return;
    stream.halfClosed = true;
    this.#out.frame(FrameType.DATA, Flag.END_STREAM, stream.id, NOTHING);
  }

  #receive(chunk: Buffer): void {
    const data = this.#rest === undefined ? chunk : Buffer.concat([this.#rest, chunk]);
    let position = 0;
    while (data.length - position >= FRAME_HEADER_BYTES) {
      const start = position + FRAME_HEADER_BYTES;
      const end = start + data.readUIntBE(position, 3);
      if (end > data.length) break;
      const id = data.readUInt32BE(position + 5) & 0x7fffffff;
      try {
        this.#frame(data[position + 3] ?? 0, data[position + 4] ?? 0, id, data, start, end);
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
        throw new Error(`the server sent GOAWAY with code ${data.readUInt32BE(start + 4)}`);
      case FrameType.CONTINUATION:
        throw new Error('CONTINUATION frames are not supported');
      // RFC 9113: frames of other types are ignored.
    }
  }

  #receiveData(id: number, flags: number, data: Buffer, start: number, end: number): void {
    if ((flags & Flag.PADDED) !== 0) throw new Error('padding is not supported');
    this.#received = this.#acknowledge(0, this.#received + end - start);
    const stream = this.#streams.get(id);
    if (stream === undefined) return;
    stream.received = this.#acknowledge(id, stream.received + end - start);
    const messages = stream.counter.add(data, start, end);
    if (messages > 0) stream.onMessages?.(messages);
    if ((flags & Flag.END_STREAM) !== 0) this.#end(id, -1);
  }

  /** Opens the window again after half of it was used; returns the bytes that are not yet acknowledged. */
  #acknowledge(id: number, received: number): number {
    if (received < RECEIVE_WINDOW_BYTES / 2) return received;
    this.#out.windowUpdate(id, received);
    return 0;
  }

  #receiveHeaders(id: number, flags: number, block: Buffer): void {
    if ((flags & Flag.END_STREAM) === 0) return;
    if (this.#okTrailer?.equals(block)) return this.#end(id, 0);
    const status = trailerStatus(block);
    if (status === 0) this.#okTrailer = Buffer.from(block);
    this.#end(id, status);
  }

  #end(id: number, status: number): void {
    const stream = this.#streams.get(id);
    if (stream === undefined) return;
    this.#streams.delete(id);
    this.#blocked.delete(stream);
    const { messages, messageBytes } = stream.counter;
    stream.onEnd({ status, messages, messageBytes });
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    for (const id of [...this.#streams.keys()]) this.#end(id, -1);
  }

  #applySettings(data: Buffer, start: number, end: number): void {
    for (let at = start; at < end; at += 6) {
      const setting = data.readUInt16BE(at);
      const value = data.readUInt32BE(at + 2);
      if (setting === Setting.MAX_FRAME_SIZE) this.#frameBytesMax = value;
      if (setting !== Setting.INITIAL_WINDOW_SIZE) continue;
      for (const stream of this.#streams.values()) stream.sendWindow += value - this.#streamSendWindow;
      this.#streamSendWindow = value;
    }
    this.#out.frame(FrameType.SETTINGS, Flag.ACK, 0, NOTHING);
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
