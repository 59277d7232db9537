/** How connections end, with what they have in hand; and those whose clients do not read. */

import { status as Code } from '@grpc/grpc-js';
import { describe, expect, test } from '@jest/globals';

import {
  ErrorCode,
  FrameType,
  PREFACE,
  Setting,
  WINDOW_DEFAULT,
  WINDOW_MAX,
} from '../../../src/grpc/http2/protocol.ts';
import { settled, waitFor } from '../../support/wait-for.ts';
import { call, chargeRequest } from '../support/server.ts';
import {
  CREATE,
  createBody,
  HEALTH,
  healthBody,
  LIST,
  listBody,
  RECORD,
  recordBody,
} from './support/calls.ts';
import { dataFrames, headersFrames, settingsFrame } from './support/frames.ts';
import type { FramesClient } from './support/frames-client.ts';
import { begin, headers, part, Served } from './support/served.ts';

const served = new Served();
const { HEADERS } = FrameType;

describe('a connection ends', () => {
  const isGoaway = ({ type, payload }: { type: number; payload: Buffer }): boolean =>
    type === FrameType.GOAWAY && payload.readUInt32BE(0) < WINDOW_MAX;

  /** A held call of the lane behind one of grpc-js. */
  const holdCall = async (): Promise<FramesClient> => {
    served.fixture.book.hold();
    const client = served.connect();
    client.call(1, HEALTH, healthBody());
    expect(await client.status(1)).toBe(Code.OK);
    client.call(3, CREATE, createBody('r-3'));
    await waitFor('the call', () => served.fixture.book.heldGroups === 1);
    return client;
  };

  test('at its age, when the call in hand is answered', async () => {
    await served.start({ connectionAgeMaxMs: 200 });
    const client = await holdCall();
    expect((await client.frame('GOAWAY', isGoaway)).payload.readUInt32BE(0)).toBe(3);
    // Neither taken on nor a fault: it was sent before the client knew.
    client.call(5, CREATE, createBody('r-5'));
    client.call(7, RECORD, recordBody('r-7'));
    await expectOthersServedOnceReleased();
    expect(await client.status(3)).toBe(Code.OK);
    expect(await client.farewell()).toMatchObject({ code: ErrorCode.NO_ERROR, lastStreamId: 3 });
    for (const id of [5, 7]) expect(client.answer(id)).toMatchObject({ lists: [], resetCode: undefined });
  });
  const expectOthersServedOnceReleased = async (): Promise<void> => {
    expect(served.fixture.book.groups).toHaveLength(1);
    const client = served.connect();
    client.call(1, HEALTH, healthBody());
    expect(await client.status(1)).toBe(Code.OK);
    served.fixture.book.release();
  };

  test('at the end of the grace, whatever is in hand', async () => {
    await served.start({ connectionAgeMaxMs: 200, connectionAgeGraceMs: 300 });
    const client = await holdCall();
    await client.frame('GOAWAY', isGoaway);
    const before = performance.now();
    expect(await client.farewell()).toMatchObject({ lastStreamId: 3 });
    expect(performance.now() - before).toBeLessThan(2000);
    await waitFor('that the call is withdrawn', () => served.fixture.book.signals[0]?.aborted);
  });

  test('with its server, when the call in hand is answered', async () => {
    await served.start();
    const client = await holdCall();
    const draining = served.fixture.server.drain(5000);
    client.call(5, CREATE, createBody('r-5'));
    expect(await client.status(5)).toBe(Code.UNAVAILABLE);
    served.fixture.book.release();
    expect(await client.status(3)).toBe(Code.OK);
    expect(await client.farewell()).toMatchObject({ code: ErrorCode.NO_ERROR, lastStreamId: 5 });
    await draining;
  });

  test('with its server, whatever is half sent', async () => {
    await served.start();
    const client = await holdCall();
    client.send(begin(5), dataFrames(5, createBody('r-5').subarray(0, 9), { endStream: false }));
    await client.ping();
    const draining = served.fixture.server.drain(5_000);
    expect(await client.status(5)).toBe(Code.UNAVAILABLE);
    // What begins so late is not even given that time.
    client.send(begin(7), dataFrames(7, createBody('r-7').subarray(0, 9), { endStream: false }));
    expect(await client.status(7)).toBe(Code.UNAVAILABLE);
    served.fixture.book.release();
    expect(await client.status(3)).toBe(Code.OK);
    expect(await client.farewell()).toMatchObject({ code: ErrorCode.NO_ERROR, lastStreamId: 7 });
    await draining;
  });

  test('with its server, though another client resets its own', async () => {
    await served.start();
    const [waiting, resetting] = [1, 2].map(() =>
      served.connect({ first: [PREFACE, settingsFrame({ [Setting.INITIAL_WINDOW_SIZE]: 0 })] }),
    ) as [FramesClient, FramesClient];
    for (const client of [waiting, resetting]) {
      await client.ping();
      client.call(1, CREATE, createBody('r-1'));
      await waitFor('the headers', () => client.answer(1).lists.length === 1);
    }
    const held = served.fixture.server.load.heldBytes;
    let over = false;
    const draining = served.fixture.server.drain(10_000).finally(() => (over = true));
    await resetting.frame('GOAWAY', isGoaway);
    resetting.socket.resetAndDestroy();
    await waitFor('the reset', () => served.fixture.server.load.heldBytes < held);
    expect(await settled(() => Number(over))).toBe(0);
    waiting.give(1, 100_000);
    expect(await waiting.status(1)).toBe(Code.OK);
    await draining;
  });

  test.each([
    ['in the middle of a frame', (): Buffer => dataFrames(5, createBody('r-5')).subarray(0, 30)],
    ['in the middle of a frame for grpc-js', (): Buffer => dataFrames(7, recordBody('r-7')).subarray(0, 30)],
    ['in the middle of a header block', (): Buffer => part(HEADERS, 9)],
    [
      'in the middle of a message',
      (): Buffer => dataFrames(5, createBody('r-5'), { endStream: false }).subarray(0),
    ],
  ])('with its socket, %s', async (_name, last) => {
    await served.start();
    for (const how of ['destroy', 'resetAndDestroy', 'end'] as const) {
      const client = await holdCall();
      client.send(begin(5), begin(7, RECORD), last());
      await waitFor('the stream', () => served.fixture.server.load.recordStreams === 1);
      client.socket[how]();
      await waitFor('the stream', () => served.fixture.server.load.recordStreams === 0);
      if (how !== 'end') await waitFor('the signal', () => served.fixture.book.signals.at(-1)?.aborted);
      served.fixture.book.release();
      await served.nothingIsLeft();
      await waitFor('the end', () => client.closed);
    }
  });
});

test('a client that never reads is not read, and others are served', async () => {
  await served.start();
  for (let i = 0; i < 20; i++)
    await call(
      served.fixture.client,
      'createCharge',
      chargeRequest(`r-${i}`, { reference: 'x'.repeat(200) }),
    );
  const client = served.connect({ gives: false });
  client.sendSettings({ [Setting.INITIAL_WINDOW_SIZE]: WINDOW_MAX });
  client.give(0, WINDOW_MAX - WINDOW_DEFAULT);
  await client.ping();
  client.socket.pause();
  const calls = 20_000;
  const list = [headers(LIST), listBody(20)] as const;
  for (let i = 0; i < calls; i++)
    client.send(headersFrames(2 * i + 1, list[0]), dataFrames(2 * i + 1, list[1]));
  const lists = (): number => served.fixture.counts.filter((count) => count === 'ListCharges 0').length;
  expect(await settled(lists)).toBeLessThan(calls / 2);
  expect(lists()).toBeGreaterThan(0);
  expect(served.fixture.server.load.heldBytes).toBeGreaterThan(0);
  expect(served.fixture.server.load.heldBytes).toBeLessThan(8 * 1024 * 1024);
  expect(served.fixture.counts.filter((count) => count.startsWith('refused'))).toEqual([]);
  await served.expectOthersServed();
  client.destroy();
  await served.nothingIsLeft();
});
