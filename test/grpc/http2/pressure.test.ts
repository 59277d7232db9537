/** Clients that take nothing, take back what they asked for, or stay when they should go. */

import { status as Code } from '@grpc/grpc-js';
import { afterEach, expect, test } from '@jest/globals';

import { encodeFields } from '../../../src/grpc/http2/hpack-encoder.ts';
import { ErrorCode, FrameType, PREFACE, Setting } from '../../../src/grpc/http2/protocol.ts';
import type { RpcLimits } from '../../../src/grpc/dependencies.ts';
import { settled, waitFor } from '../../support/wait-for.ts';
import { call, chargeRequest, type Fixture, startServer } from '../support/server.ts';
import {
  BATCH,
  CREATE,
  createBody,
  HEALTH,
  healthBody,
  LIST,
  listBody,
  PAST_THE_LANE,
} from './support/calls.ts';
import {
  dataFrames,
  headersFrames,
  rawFrame,
  reset,
  settingsFrame,
  uint32,
  windowUpdate,
} from './support/frames.ts';
import { FramesClient, requestFields } from './support/frames-client.ts';

let fixture: Fixture;
const start = async (limits: Partial<RpcLimits> = {}): Promise<void> => {
  fixture = await startServer(limits);
};
afterEach(async () => {
  await waitFor('the calls', () => fixture.server.load.callsInFlight === 0);
  await waitFor('the bytes', () => fixture.server.load.heldBytes === 0);
  expect(fixture.logs).toEqual([]);
  await fixture.close();
});

/** A connection whose window the lane's answers have used up, and its next stream. */
async function withoutWindow(): Promise<{ client: FramesClient; next: number }> {
  const client = new FramesClient(fixture.port, { gives: false });
  let next = 1;
  for (; next < 2400; next += 2) client.call(next, CREATE, createBody(`fill-${next}`));
  await waitFor('the end of the window', () => client.window === 0);
  return { client, next };
}

test('a drain sends what node:http2 has said already, however late the window comes', async () => {
  await start();
  const { client, next: first } = await withoutWindow();
  const second = first + 2;
  client.call(first, HEALTH, healthBody());
  client.call(second, HEALTH, healthBody());
  await client.ping();
  const drained = fixture.server.drain(5000);
  await client.frame(
    'GOAWAY',
    ({ type, payload }) => type === FrameType.GOAWAY && payload.readUInt32BE(0) < 2 ** 31 - 1,
  );
  client.give(0, 100_000);
  expect([await client.status(first), await client.status(second)]).toEqual([Code.OK, Code.OK]);
  await drained;
  expect(client.violations).toEqual([]);
});

test('a drain does not wait for the window of a stream that its client resets', async () => {
  await start();
  const { client, next } = await withoutWindow();
  client.call(next, HEALTH, healthBody());
  await client.ping();
  for (let id = 1; id < next; id += 2) if (client.answer(id).ends === 0) client.send(reset(id));
  await client.ping();
  const drained = fixture.server.drain(60_000);
  await client.frame(
    'GOAWAY',
    ({ type, payload }) => type === FrameType.GOAWAY && payload.readUInt32BE(0) < 2 ** 31 - 1,
  );
  client.send(reset(next));
  await drained;
});

test('what waits on a stream that its client resets gives its window back to node:http2', async () => {
  await start();
  for (let i = 0; i < 60; i++) {
    const reference = 'x'.repeat(200);
    await call(fixture.client, 'createCharge', chargeRequest(`r-${i}`, { reference }));
  }
  const { client, next } = await withoutWindow();
  let id = next;
  // Each of them takes from the window of 64 KiB that node:http2 sees.
  for (let i = 0; i < 20; i++, id += 2) {
    client.call(id, LIST, listBody(), PAST_THE_LANE);
    await client.ping();
    client.send(reset(id));
  }
  client.gives = true;
  client.give(0, 65_535);
  client.call(id, LIST, listBody(), PAST_THE_LANE);
  expect(await client.status(id)).toBe(Code.OK);
  expect(client.violations).toEqual([]);
});

test('what node:http2 has sent and no window takes is held, until it is sent, reset or cut', async () => {
  await start();
  for (let i = 0; i < 60; i++) {
    const reference = 'x'.repeat(200);
    await call(fixture.client, 'createCharge', chargeRequest(`r-${i}`, { reference }));
  }
  const { client, next } = await withoutWindow();
  const { load } = fixture.server;
  const before = await settled(() => load.heldBytes);
  const ids = [next, next + 2, next + 4] as const;
  for (const id of ids) client.call(id, LIST, listBody(), PAST_THE_LANE);
  await waitFor('the answers', () => load.heldBytes > before + 20_000);
  const all = (await settled(() => load.heldBytes)) - before;
  const one = all / ids.length;
  client.send(reset(ids[1]));
  await waitFor('one less', () => load.heldBytes === before + 2 * one);
  // Of the others, all that waits before them is to be sent first.
  for (let id = 1; id < next; id += 2) if (client.answer(id).ends === 0) client.send(reset(id));
  await waitFor('these two alone', () => load.heldBytes === 2 * one);
  client.give(0, 100);
  await waitFor('a part', () => load.heldBytes === 2 * one - 100);
  client.give(0, one);
  await waitFor('the most', () => load.heldBytes === one - 100);
  client.destroy();
  await waitFor('nothing', () => load.heldBytes === 0);
});

const noWindow = {
  first: [PREFACE, settingsFrame({ [Setting.INITIAL_WINDOW_SIZE]: 0 })],
  gives: false,
};

test('an answer that is not taken is dropped when its time is over, and its trailers say so', async () => {
  await start();
  const client = new FramesClient(fixture.port, noWindow);
  await client.ping();
  client.call(1, CREATE, createBody('r-1'), [['grpc-timeout', '200m']]);
  expect(await client.status(1)).toBe(Code.DEADLINE_EXCEEDED);
  expect(client.answer(1).body).toHaveLength(0);
});

test('an answer that has begun ends with a reset when its time is over', async () => {
  await start();
  const client = new FramesClient(fixture.port, noWindow);
  await client.ping();
  client.call(1, CREATE, createBody('r-1'), [['grpc-timeout', '300m']]);
  client.send(windowUpdate(1, 10));
  expect((await client.ended(1)).resetCode).toBe(ErrorCode.CANCEL);
  expect(client.answer(1)).toMatchObject({ ends: 0, body: { length: 10 } });
});

test("without a deadline, it is the server's limit that ends it", async () => {
  await start({ deadlineMaxMs: 200 });
  const client = new FramesClient(fixture.port, noWindow);
  await client.ping();
  client.call(1, CREATE, createBody('r-1'));
  expect((await client.ended(1)).resetCode).toBe(ErrorCode.CANCEL);
  expect(fixture.server.load.heldBytes).toBe(0);
});

test('an answer before the end of its request asks the client to stop', async () => {
  await start();
  const client = new FramesClient(fixture.port);
  client.send(headersFrames(1, encodeFields(requestFields(BATCH))));
  client.send(dataFrames(1, Buffer.from([0, 0xff, 0xff, 0xff, 0xff]), { endStream: false }));
  await waitFor('the reset', () => client.answer(1).resetCode !== undefined);
  expect(client.answer(1)).toMatchObject({ ends: 1, resetCode: ErrorCode.NO_ERROR });
  expect(await client.status(1)).toBe(Code.RESOURCE_EXHAUSTED);
});

test.each([
  ['a message that is too large', [0, 0xff, 0xff, 0xff, 0xff], Code.RESOURCE_EXHAUSTED],
  ['a message that is marked as compressed', [1, 0, 0, 0, 1, 0], Code.INTERNAL],
  ['two messages', [0, 0, 0, 0, 0, 0, 0, 0, 0, 0], Code.UNIMPLEMENTED],
])('a request that has ended is not asked to stop: %s', async (_name, body, code) => {
  await start();
  const client = new FramesClient(fixture.port);
  client.call(1, CREATE, Buffer.from(body));
  await client.ping();
  expect(await client.status(1)).toBe(code);
  expect(client.answer(1)).toMatchObject({ ends: 1, resetCode: undefined });
  client.call(3, CREATE, createBody('r-3'));
  expect(await client.status(3)).toBe(Code.OK);
});

test('nor is one that its headers end, where nothing more is held', async () => {
  await start({ heldBytesMax: 1 });
  const client = new FramesClient(fixture.port);
  client.send(headersFrames(1, encodeFields(requestFields(CREATE)), { endStream: true }));
  await client.ping();
  expect(await client.status(1)).toBe(Code.RESOURCE_EXHAUSTED);
  expect(client.answer(1)).toMatchObject({ ends: 1, resetCode: undefined });
});

test('a client that makes the server reset its streams may do it no oftener than itself', async () => {
  await start();
  const client = new FramesClient(fixture.port);
  for (let id = 1; id < 2400; id += 2) {
    client.call(id, CREATE, createBody(`r-${id}`));
    client.send(windowUpdate(id, 0));
  }
  expect((await client.farewell()).code).toBe(ErrorCode.ENHANCE_YOUR_CALM);
});

test('DATA behind the end of a request resets its stream', async () => {
  await start();
  fixture.book.hold();
  const client = new FramesClient(fixture.port);
  client.call(1, CREATE, createBody('r-1'));
  client.send(dataFrames(1, Buffer.from('more')));
  expect((await client.ended(1)).resetCode).toBe(ErrorCode.STREAM_CLOSED);
  fixture.book.release();
});

test('a connection whose age is over is cut, though its client keeps its half and goes on talking', async () => {
  await start({ connectionAgeMaxMs: 100, connectionAgeGraceMs: 300 });
  const client = new FramesClient(fixture.port);
  client.socket.removeAllListeners('end');
  client.call(1, CREATE, createBody('r-1'));
  expect(await client.status(1)).toBe(Code.OK);
  const talk = setInterval(() => client.send(settingsFrame()), 5);
  try {
    await waitFor('the cut', () => client.closed);
  } finally {
    clearInterval(talk);
  }
});

test('a PING is answered while answers wait for the window', async () => {
  await start();
  const { client, next } = await withoutWindow();
  client.call(next, LIST, listBody());
  await client.ping();
  client.send(rawFrame(FrameType.RST_STREAM, 0, next, uint32(ErrorCode.CANCEL)));
  await client.ping();
});
