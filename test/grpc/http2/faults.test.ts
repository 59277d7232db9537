/** What clients do wrong, how far it reaches, and how they get back what they sent. Nothing may be left behind. */

import { status as Code } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';

import {
  ErrorCode,
  Flag,
  FRAME_BYTES_MAX,
  FrameType,
  PREFACE,
  WINDOW_DEFAULT,
  WINDOW_MAX,
} from '../../../src/grpc/http2/protocol.ts';
import { waitFor } from '../../support/wait-for.ts';
import { frame } from '../support/raw.ts';
import {
  BATCH,
  batchBody,
  CREATE,
  createBody,
  HEALTH,
  healthBody,
  RECORD,
  recordBody,
  WATCH,
  watchBody,
} from './support/calls.ts';
import { dataFrames, headersFrames, rawFrame, reset, uint32, windowUpdate } from './support/frames.ts';
import type { FramesClient } from './support/frames-client.ts';
import { begin, headers, part, Served } from './support/served.ts';

const served = new Served();
const { HEADERS, CONTINUATION, DATA, SETTINGS, PING, RST_STREAM, WINDOW_UPDATE } = FrameType;

describe('a fault of the client ends its connection', () => {
  beforeEach(() => served.start());
  afterEach(async () => {
    served.fixture.book.release();
    await served.nothingIsLeft();
    await served.expectOthersServed();
  });

  test.each([
    ['HTTP/1', Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')],
    ['a preface that is wrong at its end', Buffer.concat([PREFACE.subarray(0, -1), Buffer.from('x')])],
    ['TLS', Buffer.from('16030100c8010000c40303', 'hex')],
  ])('before it begins: %s', async (_name, bytes) => {
    const client = served.connect({ first: [bytes] });
    expect(await client.farewell()).toMatchObject({ code: ErrorCode.PROTOCOL_ERROR, lastStreamId: 0 });
  });

  const P = ErrorCode.PROTOCOL_ERROR;
  const SIZE = ErrorCode.FRAME_SIZE_ERROR;
  const CALM = ErrorCode.ENHANCE_YOUR_CALM;
  const HPACK = ErrorCode.COMPRESSION_ERROR;
  const FLOW = ErrorCode.FLOW_CONTROL_ERROR;
  const none = Buffer.alloc(0);
  // Streams 1 and 5 are calls of the lane, 3 is one of grpc-js, and 7 has not begun.
  test.each<[string, number, ...Buffer[]]>([
    ['a frame that is too large', SIZE, rawFrame(DATA, 0, 1, Buffer.alloc(FRAME_BYTES_MAX + 1))],
    [
      'the start of a frame that is too large',
      SIZE,
      rawFrame(HEADERS, 0, 7, Buffer.alloc(FRAME_BYTES_MAX + 1)).subarray(0, 9),
    ],
    ['HEADERS on stream 0', P, begin(0)],
    ['HEADERS on an even stream', P, begin(6)],
    ['DATA on stream 0', P, dataFrames(0, none)],
    ['DATA on a stream that has not begun', P, dataFrames(7, none)],
    ['DATA on an even stream', P, dataFrames(8, none)],
    ['RST_STREAM on stream 0', P, reset(0)],
    ['RST_STREAM on a stream that has not begun', P, reset(7)],
    ['RST_STREAM of five bytes', SIZE, rawFrame(RST_STREAM, 0, 1, Buffer.alloc(5))],
    ['RST_STREAM of no bytes', SIZE, rawFrame(RST_STREAM, 0, 5, none)],
    ['RST_STREAM of three bytes for grpc-js', SIZE, rawFrame(RST_STREAM, 0, 3, Buffer.alloc(3))],
    ['WINDOW_UPDATE of nothing', P, windowUpdate(0, 0)],
    ['WINDOW_UPDATE of the reserved bit alone', P, windowUpdate(0, 2 ** 31)],
    ['WINDOW_UPDATE that is too much', FLOW, windowUpdate(0, WINDOW_MAX - WINDOW_DEFAULT + 1)],
    ['WINDOW_UPDATE twice', FLOW, windowUpdate(0, WINDOW_MAX / 2), windowUpdate(0, WINDOW_MAX / 2)],
    ['WINDOW_UPDATE of three bytes', SIZE, rawFrame(WINDOW_UPDATE, 0, 0, Buffer.alloc(3))],
    ['WINDOW_UPDATE of five bytes for a stream', SIZE, rawFrame(WINDOW_UPDATE, 0, 5, Buffer.alloc(5))],
    ['WINDOW_UPDATE on a stream that has not begun', P, windowUpdate(7, 1)],
    ['a header block with DATA inside', P, part(HEADERS, 7), dataFrames(1, none)],
    ['a header block with PING inside', P, part(HEADERS, 7), rawFrame(PING, 0, 0, uint32(0, 0))],
    ['a header block with an unknown frame inside', P, part(HEADERS, 7), rawFrame(99, 0, 0, none)],
    ['a header block with HEADERS inside', P, part(HEADERS, 7), begin(7)],
    ['a header block with CONTINUATION of another', P, part(HEADERS, 7), part(CONTINUATION, 5, none, 4)],
    ['an empty header block with DATA inside', P, part(HEADERS, 7, none), dataFrames(1, none)],
    ['CONTINUATION of nothing', P, part(CONTINUATION, 1, none, Flag.END_HEADERS)],
    [
      'CONTINUATION of what is complete',
      P,
      headersFrames(1, headers(CREATE), { endStream: true }),
      part(CONTINUATION, 1, none, Flag.END_HEADERS),
    ],
    [
      'CONTINUATION without end',
      CALM,
      part(HEADERS, 7),
      ...Array.from({ length: 20 }, () => part(CONTINUATION, 7, none)),
    ],
    [
      'a header block without end',
      CALM,
      part(HEADERS, 7),
      ...Array.from({ length: 5 }, () => part(CONTINUATION, 7, Buffer.alloc(FRAME_BYTES_MAX, 0x82))),
    ],
    ['HPACK: an index of nothing', HPACK, headersFrames(7, Buffer.from([0x80]))],
    ['HPACK: an index beyond the table', HPACK, headersFrames(7, Buffer.from([0xbf]))],
    ['HPACK: a string that is cut', HPACK, headersFrames(7, headers(CREATE).subarray(0, -1))],
    ['HPACK in trailers', HPACK, headersFrames(1, Buffer.from([0x80]), { endStream: true })],
    ['HPACK on a stream that is over', HPACK, reset(1), headersFrames(1, Buffer.from([0x80]))],
    ['HEADERS padded beyond their end', P, part(HEADERS, 7, Buffer.from([9, 0x82]), Flag.PADDED | 4)],
    ['HEADERS padded without a length', P, part(HEADERS, 7, none, Flag.PADDED | 4)],
    ['HEADERS without room for priority', SIZE, part(HEADERS, 7, Buffer.alloc(4), Flag.PRIORITY | 4)],
    ['DATA padded beyond its end', P, rawFrame(DATA, Flag.PADDED, 1, Buffer.from([3, 1, 2]))],
    ['trailers that end nothing', P, begin(1)],
    // These are for node:http2 to find, which knows of stream 3 only.
    ['SETTINGS of five bytes', SIZE, rawFrame(SETTINGS, 0, 0, Buffer.alloc(5))],
    ['SETTINGS of a stream', P, rawFrame(SETTINGS, 0, 1, none)],
    ['PING of seven bytes', SIZE, rawFrame(PING, 0, 0, Buffer.alloc(7))],
  ])('%s', async (_name, code, ...frames) => {
    served.fixture.book.hold();
    const client = served.connect();
    client.call(1, CREATE, createBody('r-1'), [], { data: { endStream: false } });
    client.call(3, WATCH, watchBody());
    client.call(5, CREATE, createBody('r-2'));
    await waitFor('the watch', () => served.fixture.server.load.watchStreams === 1);
    await waitFor('the call', () => served.fixture.book.heldGroups === 1);
    client.send(...frames);
    expect(await client.farewell()).toMatchObject({ code, lastStreamId: 5 });
    await waitFor('the end of the watch', () => served.fixture.server.load.watchStreams === 0);
    await waitFor('that the call is withdrawn', () => served.fixture.book.signals[0]?.aborted);
    expect(client.answer(5)).toMatchObject({ ends: 0 });
  });

  test('nothing behind a fault is looked at', async () => {
    const client = served.connect();
    client.send(dataFrames(0, none), begin(1), dataFrames(1, createBody('r-1')));
    expect(await client.farewell()).toMatchObject({ code: P, lastStreamId: 0 });
    expect(served.fixture.book.groups).toEqual([]);
  });

  test('thousands of streams that are reset as they begin', async () => {
    const client = served.connect();
    const both = (id: number): Buffer[] => [begin(id), reset(id)];
    client.send(...Array.from({ length: 1000 }, (_, index) => both(2 * index + 1)).flat());
    await client.ping();
    expect(client.frames.some(({ type }) => type === FrameType.GOAWAY)).toBe(false);
    client.send(...Array.from({ length: 1000 }, (_, index) => both(2 * index + 2001)).flat());
    const { code, lastStreamId } = await client.farewell();
    expect(code).toBe(CALM);
    expect(lastStreamId).toBeGreaterThanOrEqual(2001);
    expect(lastStreamId).toBeLessThan(2500);
  });
});

describe('a fault of one stream', () => {
  const { PROTOCOL_ERROR, FLOW_CONTROL_ERROR, ENHANCE_YOUR_CALM, REFUSED_STREAM } = ErrorCode;

  test.each([
    ['a window of nothing more', PROTOCOL_ERROR, [0]],
    ['a window that is too large', FLOW_CONTROL_ERROR, [WINDOW_MAX - WINDOW_DEFAULT + 1]],
    ['a window that becomes too large', FLOW_CONTROL_ERROR, [WINDOW_MAX - WINDOW_DEFAULT, 1]],
  ])('resets it alone: %s', async (_name, code, increments) => {
    await served.start();
    served.fixture.book.hold();
    const client = served.connect();
    for (const id of [1, 3]) client.call(id, CREATE, createBody(`r-${id}`));
    await waitFor('the calls', () => served.fixture.book.heldGroups === 2);
    client.send(...increments.map((increment) => windowUpdate(1, increment)));
    expect(await client.ended(1)).toMatchObject({ resetCode: code, ends: 0, lists: [] });
    await waitFor('that the call is withdrawn', () => served.fixture.book.signals[0]?.aborted);
    served.fixture.book.release();
    expect(await client.status(3)).toBe(Code.OK);
    client.call(5, RECORD, recordBody('r-5'));
    expect(await client.status(5)).toBe(Code.OK);
    expect(client.answer(1).lists).toEqual([]);
  });

  test('headers above 64 KiB reset their stream, and the table of headers goes on', async () => {
    await served.start();
    const client = served.connect();
    const indexed = Buffer.from('40016d0161', 'hex');
    // `accept-encoding: gzip, deflate` counts 60 bytes each time.
    const many = Buffer.concat([headers(CREATE), indexed, Buffer.alloc(1200, 0x90)]);
    client.send(headersFrames(1, many), dataFrames(1, createBody('r-1')));
    expect((await client.ended(1)).resetCode).toBe(ENHANCE_YOUR_CALM);
    // The field that the refused block has put into the table is there.
    client.send(headersFrames(3, Buffer.concat([headers(CREATE), Buffer.from([0xbe])])));
    client.send(dataFrames(3, createBody('r-3')));
    expect(await client.status(3)).toBe(Code.OK);
    expect(served.fixture.book.groups).toHaveLength(1);
  });

  test('streams above the limit are refused, whoever serves the others', async () => {
    await served.start({ connectionStreamsMax: 4 });
    served.fixture.book.hold();
    const client = served.connect();
    client.call(1, CREATE, createBody('r-1'));
    client.call(3, WATCH, watchBody());
    client.call(5, CREATE, createBody('r-5'));
    client.call(7, WATCH, watchBody());
    await waitFor('the watches', () => served.fixture.server.load.watchStreams === 2);
    for (const [id, path] of [
      [9, CREATE],
      [11, WATCH],
      [13, HEALTH],
    ] as const) {
      client.call(id, path, createBody(`r-${id}`));
      expect(await client.ended(id)).toMatchObject({ resetCode: REFUSED_STREAM, lists: [] });
    }
    // Another connection has a limit of its own.
    const other = served.connect();
    other.call(1, HEALTH, healthBody());
    expect(await other.status(1)).toBe(Code.OK);
    // One of grpc-js less, one of the lane more.
    client.send(reset(3));
    client.call(15, CREATE, createBody('r-15'));
    await waitFor('the call', () => served.fixture.book.heldGroups === 3);
    client.call(17, CREATE, createBody('r-17'));
    expect((await client.ended(17)).resetCode).toBe(REFUSED_STREAM);
    // One of the lane less, one of grpc-js more.
    client.send(reset(1));
    client.call(19, WATCH, watchBody());
    await waitFor('the watches', () => served.fixture.server.load.watchStreams === 2);
    client.call(21, WATCH, watchBody());
    expect((await client.ended(21)).resetCode).toBe(REFUSED_STREAM);
    served.fixture.book.release();
    for (const id of [5, 15]) expect(await client.status(id)).toBe(Code.OK);
    client.call(23, RECORD, recordBody('r-23'));
    expect(await client.status(23)).toBe(Code.OK);
  });
});

/** What a client may have sent that the server has not given back yet. */
const PENDING_MAX = WINDOW_DEFAULT / 2;

describe('the window of what clients send', () => {
  beforeEach(() => served.start());

  /** Sends a body as windows allow, without the end of the stream. */
  const sendWithinWindows = async (client: FramesClient, id: number, body: Buffer): Promise<void> => {
    const before = client.granted(0);
    for (let at = 0; at < body.length;) {
      const left = (): number =>
        WINDOW_DEFAULT + Math.min(client.granted(0) - before, client.granted(id)) - at;
      await waitFor('a window', () => left() > 0, { intervalMs: 1 });
      const size = Math.min(left(), body.length - at);
      client.send(dataFrames(id, body.subarray(at, at + size), { endStream: false }));
      at += size;
    }
  };

  test('a large batch arrives within it', async () => {
    const client = served.connect();
    const body = batchBody([''], { reference: 'x'.repeat(2 * 1024 * 1024) });
    client.send(begin(1, BATCH));
    await sendWithinWindows(client, 1, body);
    expect(served.fixture.server.load.heldBytes).toBeGreaterThan(2 * 1024 * 1024 - WINDOW_DEFAULT);
    client.send(dataFrames(1, Buffer.alloc(0)));
    expect(await client.status(1)).toBe(Code.OK);
    for (const id of [0, 1]) {
      expect(client.granted(id)).toBeLessThanOrEqual(body.length);
      expect(client.granted(id)).toBeGreaterThan(body.length - PENDING_MAX - 1);
    }
    // What was not given back yet is with the next that arrives.
    client.call(3, CREATE, createBody('r-3', { model: '' }), [], { data: { partBytes: 1, padding: 255 } });
    expect(await client.status(3)).toBe(Code.INVALID_ARGUMENT);
  });

  test('padding counts', async () => {
    const client = served.connect();
    client.send(begin(1), ...Array.from({ length: 300 }, () => paddedNothing(1)));
    await waitFor('the window', () => client.granted(0) > 300 * 256 - PENDING_MAX - 1);
    await waitFor('the window of the stream', () => client.granted(1) > 300 * 256 - PENDING_MAX - 1);
    expect(client.granted(0)).toBeLessThanOrEqual(300 * 256);
    client.send(dataFrames(1, createBody('r-1')));
    expect(await client.status(1)).toBe(Code.OK);
  });
  const paddedNothing = (id: number): Buffer =>
    dataFrames(id, Buffer.alloc(0), { endStream: false, padding: 255 });

  test('what arrives for a call that is refused by its size is given back', async () => {
    const client = served.connect();
    // What the window of a stream allows before the client has read its answer.
    const body = frame(Buffer.alloc(2 * 1024 * 1024)).subarray(0, 65_000);
    client.send(begin(1), dataFrames(1, body.subarray(0, 100), { endStream: false }));
    expect(await client.status(1)).toBe(Code.RESOURCE_EXHAUSTED);
    client.send(dataFrames(1, body.subarray(100), { endStream: false }));
    await waitFor('the window', () => client.granted(0) > body.length - PENDING_MAX - 1);
    expect(served.fixture.server.load.heldBytes).toBe(0);
  });

  test('what arrives for a stream that is over is given back to the connection', async () => {
    const client = served.connect();
    client.call(1, CREATE, createBody('r-1'));
    expect(await client.status(1)).toBe(Code.OK);
    client.send(begin(3), reset(3), begin(5, WATCH), reset(5));
    let sent = createBody('r-1').length;
    for (let round = 0; round < 5; round++) {
      for (const id of [1, 3, 5]) {
        client.send(dataFrames(id, Buffer.alloc(16_384), { endStream: round === 4 }));
        sent += 16_384;
      }
      await waitFor('the window', () => client.granted(0) > sent - PENDING_MAX - 1);
    }
    expect(client.granted(0)).toBeLessThanOrEqual(sent);
    for (const id of [1, 3, 5]) expect(client.granted(id)).toBe(0);
    await client.ping();
    client.call(7, CREATE, createBody('r-7'));
    expect(await client.status(7)).toBe(Code.OK);
  });
});
