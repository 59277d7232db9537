/** A client that sends frames as it is told, and keeps an eye on what it gets. */

import { connect, type Socket } from 'node:net';

import { afterEach } from '@jest/globals';

import { FrameReader } from '../../../../src/grpc/http2/frame-reader.ts';
import { type HeaderField, HpackDecoder } from '../../../../src/grpc/http2/hpack-decoder.ts';
import { encodeFields } from '../../../../src/grpc/http2/hpack-encoder.ts';
import {
  Flag,
  FrameType,
  PREFACE,
  Setting,
  TABLE_BYTES_DEFAULT,
  WINDOW_DEFAULT,
} from '../../../../src/grpc/http2/protocol.ts';
import { waitFor } from '../../../support/wait-for.ts';
import {
  dataFrames,
  type DataShape,
  headersFrames,
  type HeadersShape,
  rawFrame,
  settingsFrame,
  uint32,
  windowUpdate,
} from './frames.ts';

/** A frame of the server. */
export interface ReceivedFrame {
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
  readonly payload: Buffer;
}

/** What a stream got. */
export interface Answer {
  /** A list for each header block. */
  readonly lists: (readonly HeaderField[])[];
  body: Buffer;
  /** How often it ended: once is right. */
  ends: number;
  resetCode: number | undefined;
}

/** How a client behaves. */
export interface ClientOptions {
  /** Sent right away; default: the preface and empty SETTINGS. */
  readonly first?: readonly Buffer[];
  /** Gives windows back as DATA arrives. */
  readonly gives?: boolean;
}

const open = new Set<FramesClient>();
afterEach(() => {
  for (const client of open) client.destroy();
  open.clear();
});

/** The fields of a gRPC request; `more` replace those of the same name. */
export function requestFields(path: string, more: readonly HeaderField[] = []): HeaderField[] {
  const fields: HeaderField[] = [
    [':method', 'POST'],
    [':scheme', 'http'],
    [':path', path],
    [':authority', 'localhost'],
    ['content-type', 'application/grpc'],
    ['te', 'trailers'],
  ];
  return [...fields.filter(([name]) => !more.some(([other]) => other === name)), ...more];
}

export const SERVICE = '/charge.v1.ChargeService';

/** One connection; closed after the test. */
export class FramesClient {
  readonly socket: Socket;
  readonly frames: ReceivedFrame[] = [];
  readonly answers = new Map<number, Answer>();
  /** What the server did that it must not. */
  readonly violations: string[] = [];
  /** Gives windows back as DATA arrives. */
  gives: boolean;
  /** What the server may send of DATA. */
  window = WINDOW_DEFAULT;
  closed = false;
  #streamWindow = WINDOW_DEFAULT;
  readonly #streamWindows = new Map<number, number>();
  readonly #settings: Readonly<Record<number, number>>[] = [];
  /** What is sent once the pieces of something else are. */
  #later: Buffer[] | undefined;
  readonly #reader = new FrameReader(2 ** 24);
  readonly #decoder = new HpackDecoder({ tableBytesMax: TABLE_BYTES_DEFAULT, listBytesMax: 2 ** 20 });
  #block: Buffer[] = [];
  #blockFlags = 0;

  constructor(port: number, options: ClientOptions = {}) {
    const { first = [PREFACE, settingsFrame()], gives = true } = options;
    open.add(this);
    this.gives = gives;
    this.socket = connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
    this.socket.on('error', () => {});
    this.socket.on('close', () => (this.closed = true));
    this.socket.on('end', () => this.socket.end());
    this.socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    // The server may acknowledge them like any others.
    if (options.first === undefined) this.#settings.push({});
    this.send(...first);
  }

  destroy(): void {
    this.socket.destroy();
    open.delete(this);
  }

  send(...parts: readonly Buffer[]): void {
    if (this.#later !== undefined) this.#later.push(...parts);
    else if (parts.length > 0) this.socket.write(Buffer.concat(parts));
  }

  /** Sends bytes in pieces of these sizes, again and again; nothing else comes in between. */
  async sendInPieces(bytes: Buffer, sizes: readonly number[]): Promise<void> {
    this.#later = [];
    for (let at = 0, i = 0; at < bytes.length; i++) {
      const size = sizes[i % sizes.length] ?? 1;
      await new Promise((sent) => this.socket.write(bytes.subarray(at, at + size), sent));
      await new Promise(setImmediate);
      at += size;
    }
    const later = this.#later;
    this.#later = undefined;
    this.send(...later);
  }

  /** SETTINGS, which count once they are acknowledged. */
  sendSettings(values: Readonly<Record<number, number>>): void {
    this.#settings.push(values);
    this.send(settingsFrame(values));
  }

  /** Gives window to the server. */
  give(streamId: number, increment: number): void {
    if (streamId === 0) this.window += increment;
    else this.#streamWindows.set(streamId, this.streamWindow(streamId) + increment);
    this.send(windowUpdate(streamId, increment));
  }

  streamWindow(streamId: number): number {
    return this.#streamWindows.get(streamId) ?? this.#streamWindow;
  }

  /** A whole request. */
  call(
    streamId: number,
    path: string,
    body: Buffer,
    more: readonly HeaderField[] = [],
    shape: { headers?: HeadersShape; data?: DataShape } = {},
  ): void {
    this.send(
      headersFrames(streamId, encodeFields(requestFields(path, more)), shape.headers),
      dataFrames(streamId, body, shape.data),
    );
  }

  answer(streamId: number): Answer {
    let answer = this.answers.get(streamId);
    if (answer === undefined) {
      answer = { lists: [], body: Buffer.alloc(0), ends: 0, resetCode: undefined };
      this.answers.set(streamId, answer);
    }
    return answer;
  }

  /** The answer, once it has ended. */
  async ended(streamId: number): Promise<Answer> {
    return waitFor(
      `the end of stream ${streamId}`,
      () => {
        const answer = this.answer(streamId);
        return answer.ends > 0 || answer.resetCode !== undefined ? answer : undefined;
      },
      { intervalMs: 3 },
    );
  }

  /** The status of a call, once it has ended. */
  async status(streamId: number): Promise<number> {
    return statusOf(await this.ended(streamId));
  }

  /** A frame that has arrived or will. */
  async frame(what: string, is: (frame: ReceivedFrame) => boolean): Promise<ReceivedFrame> {
    return waitFor(what, () => this.frames.find(is), { intervalMs: 3 });
  }

  /** The error code, last stream and text of the GOAWAY, once it is here and the connection closed. */
  async farewell(): Promise<{ code: number; lastStreamId: number; text: string }> {
    await waitFor('the end of the connection', () => this.closed);
    const payload = this.frames.findLast(({ type }) => type === FrameType.GOAWAY)?.payload;
    if (payload === undefined) throw new Error('the connection closed without GOAWAY');
    return {
      lastStreamId: payload.readUInt32BE(0),
      code: payload.readUInt32BE(4),
      text: payload.subarray(8).toString(),
    };
  }

  /** Sends a PING, and resolves once it is answered: node:http2 has seen all that came before. */
  async ping(): Promise<void> {
    const mark = uint32(0, ++this.#pings);
    this.send(rawFrame(FrameType.PING, 0, 0, mark));
    await this.frame(
      'the PING',
      ({ type, flags, payload }) => type === FrameType.PING && flags === Flag.ACK && payload.equals(mark),
    );
  }

  #pings = 0;

  /** The sum of WINDOW_UPDATEs for a stream, or the connection. */
  granted(streamId: number): number {
    return this.frames
      .filter((frame) => frame.type === FrameType.WINDOW_UPDATE && frame.streamId === streamId)
      .reduce((sum, { payload }) => sum + payload.readUInt32BE(0), 0);
  }

  #receive(chunk: Buffer): void {
    this.#reader.push(chunk);
    while (this.#reader.next()) {
      const { type, flags, streamId, bytes, payload, end } = this.#reader;
      const frame = { type, flags, streamId, payload: Buffer.from(bytes.subarray(payload, end)) };
      this.frames.push(frame);
      try {
        this.#look(frame);
      } catch (error) {
        this.violations.push(`${String(error)} in frame ${this.frames.length} of stream ${streamId}`);
      }
    }
  }

  #look(frame: ReceivedFrame): void {
    const { type, flags, streamId, payload } = frame;
    if (this.#block.length > 0 && type !== FrameType.CONTINUATION)
      this.violations.push('a frame inside a header block');
    switch (type) {
      case FrameType.SETTINGS:
        if ((flags & Flag.ACK) !== 0) this.#acknowledged();
        else this.send(rawFrame(FrameType.SETTINGS, Flag.ACK, 0, Buffer.alloc(0)));
        return;
      case FrameType.HEADERS:
      case FrameType.CONTINUATION:
        return this.#lookAtHeaders(frame);
      case FrameType.DATA:
        return this.#lookAtData(frame);
      case FrameType.RST_STREAM:
        this.answer(streamId).resetCode = payload.readUInt32BE(0);
    }
  }

  #acknowledged(): void {
    const values = this.#settings.shift();
    const tableSize = values?.[Setting.HEADER_TABLE_SIZE];
    if (tableSize !== undefined) this.#decoder.limitTable(Math.min(tableSize, TABLE_BYTES_DEFAULT));
    const streamWindow = values?.[Setting.INITIAL_WINDOW_SIZE];
    if (streamWindow === undefined) return;
    const shift = streamWindow - this.#streamWindow;
    this.#streamWindow = streamWindow;
    for (const [id, window] of this.#streamWindows) this.#streamWindows.set(id, window + shift);
  }

  #lookAtHeaders({ type, flags, streamId, payload }: ReceivedFrame): void {
    if (type === FrameType.HEADERS) this.#blockFlags = flags;
    this.#block.push(payload);
    if ((flags & Flag.END_HEADERS) === 0) return;
    const block = Buffer.concat(this.#block);
    this.#block = [];
    const answer = this.answer(streamId);
    if (answer.ends > 0) this.violations.push(`headers behind the end of stream ${streamId}`);
    answer.lists.push(this.#decoder.decode(block).fields);
    if ((this.#blockFlags & Flag.END_STREAM) !== 0) answer.ends++;
  }

  #lookAtData({ flags, streamId, payload }: ReceivedFrame): void {
    const answer = this.answer(streamId);
    if (answer.ends > 0) this.violations.push(`DATA behind the end of stream ${streamId}`);
    if (payload.length > 16_384) this.violations.push(`a frame of ${payload.length} bytes`);
    answer.body = Buffer.concat([answer.body, payload]);
    if ((flags & Flag.END_STREAM) !== 0) answer.ends++;
    this.window -= payload.length;
    const streamWindow = this.streamWindow(streamId) - payload.length;
    this.#streamWindows.set(streamId, streamWindow);
    if (payload.length > 0 && this.window < 0) this.violations.push('DATA beyond the connection window');
    if (payload.length > 0 && streamWindow < 0)
      this.violations.push(`DATA beyond the window of stream ${streamId}`);
    if (!this.gives || payload.length === 0) return;
    this.give(0, payload.length);
    this.give(streamId, payload.length);
  }
}

/** The `grpc-status` of an answer; -1: none. */
export function statusOf({ lists }: Answer): number {
  const value = lists.at(-1)?.find(([name]) => name === 'grpc-status')?.[1];
  return value === undefined ? -1 : Number(value);
}

/** The messages of a body. */
export function messagesIn(body: Buffer): Buffer[] {
  const messages: Buffer[] = [];
  for (let at = 0; at < body.length;) {
    const end = at + 5 + body.readUInt32BE(at + 1);
    messages.push(body.subarray(at + 5, end));
    at = end;
  }
  return messages;
}
