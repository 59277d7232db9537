/** One connection with calls of the lane and calls of grpc-js side by side. */

import { status as Code } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import {
  CreateChargeResponse,
  RecordChargesResponse,
  WatchChargesResponse,
} from '../../../generated/charge/v1/charge_service.ts';
import { encodeFields } from '../../../src/grpc/http2/hpack-encoder.ts';
import { FrameType, PREFACE, Setting } from '../../../src/grpc/http2/protocol.ts';
import { waitFor } from '../../support/wait-for.ts';
import { call, chargeRequest, type Fixture, startServer } from '../support/server.ts';
import {
  CREATE,
  createBody,
  HEALTH,
  healthBody,
  LIST,
  listBody,
  PAST_THE_LANE,
  RECORD,
  recordBody,
  WATCH,
  watchBody,
} from './support/calls.ts';
import { dataFrames, headersFrames, IndexingEncoder, reset, settingsFrame } from './support/frames.ts';
import { FramesClient, messagesIn, requestFields, SERVICE } from './support/frames-client.ts';

let fixture: Fixture;
let clients: FramesClient[];
const connectFrames = (...args: [options?: ConstructorParameters<typeof FramesClient>[1]]): FramesClient => {
  const client = new FramesClient(fixture.port, ...args);
  clients.push(client);
  return client;
};
beforeEach(async () => {
  clients = [];
  fixture = await startServer();
});
afterEach(async () => {
  for (const client of clients) {
    client.destroy();
    expect(client.violations).toEqual([]);
  }
  fixture.book.release();
  await waitFor('the calls', () => fixture.server.load.callsInFlight === 0);
  await waitFor('the bytes', () => fixture.server.load.heldBytes === 0);
  expect(fixture.logs).toEqual([]);
  await fixture.close();
});

const refusedCall = Buffer.concat([
  headersFrames(1, encodeFields(requestFields(CREATE))),
  dataFrames(1, createBody('', { model: '' })),
]);

test('SETTINGS come first, also where all arrives at once', async () => {
  const client = connectFrames({ first: [PREFACE, settingsFrame(), refusedCall] });
  expect(await client.status(1)).toBe(Code.INVALID_ARGUMENT);
  expect(client.frames[0]).toMatchObject({ type: FrameType.SETTINGS, flags: 0, streamId: 0 });
});

test('SETTINGS come first, also where all arrives byte by byte', async () => {
  const client = connectFrames({ first: [] });
  await client.sendInPieces(Buffer.concat([PREFACE, settingsFrame(), refusedCall]), [1]);
  expect(await client.status(1)).toBe(Code.INVALID_ARGUMENT);
  expect(client.frames[0]).toMatchObject({ type: FrameType.SETTINGS, flags: 0, streamId: 0 });
});

test.each([
  ['the lane', CREATE, createBody('r-1')],
  ['grpc-js', RECORD, recordBody('r-1')],
])('headers in many frames, with padding and priority: %s', async (_name, path, body) => {
  const client = connectFrames();
  client.call(1, path, body, [], {
    headers: { partBytes: 12, padding: 7, priority: true },
    data: { partBytes: 9, padding: 200 },
  });
  expect(await client.status(1)).toBe(Code.OK);
  client.call(3, path, body, [], { headers: { partBytes: 0x4000, padding: 0 }, data: { padding: 0 } });
  expect(await client.status(3)).toBe(Code.OK);
});

test('both kinds share the table of headers, in any order', async () => {
  const client = connectFrames();
  const encoder = new IndexingEncoder();
  const kinds: [string, (id: string) => Buffer, readonly [string, string][]][] = [
    [CREATE, createBody, []],
    [RECORD, recordBody, []],
    [CREATE, createBody, PAST_THE_LANE as [string, string][]],
    [HEALTH, healthBody, []],
  ];
  const ids = Array.from({ length: 40 }, (_, index) => 2 * index + 1);
  for (const id of ids) {
    const [path, body, more] = kinds[(id * 7) % 4] as (typeof kinds)[number];
    const fields = requestFields(path, [...more, ['x-mark', `m-${id % 6}`]]);
    client.send(headersFrames(id, encoder.encode(fields)), dataFrames(id, body(`r-${id}`)));
  }
  for (const id of ids) expect(await client.status(id)).toBe(Code.OK);
  expect(encoder.references).toBeGreaterThan(100);
});

test('a table of no bytes is announced by whoever sends headers first', async () => {
  for (const order of [
    [CREATE, RECORD, CREATE],
    [RECORD, CREATE, RECORD],
    [CREATE, CREATE, HEALTH],
  ]) {
    const client = connectFrames();
    const bodyOf = (path: string, id: string): Buffer =>
      path === CREATE ? createBody(id) : path === RECORD ? recordBody(id) : healthBody();
    let id = 1;
    for (const size of [4096, 0, 4096, 100, 0]) {
      client.sendSettings({ [Setting.HEADER_TABLE_SIZE]: size });
      await client.ping();
      for (const path of order) {
        client.call(id, path, bodyOf(path, `r-${id}`));
        expect(await client.status(id)).toBe(Code.OK);
        expect(client.violations).toEqual([]);
        id += 2;
      }
    }
  }
});

describe('headers are compressed in the order in which they are sent, also where DATA waits', () => {
  /** A record whose answer waits for the window, which the lane has used up; node:http2 believes it sent. */
  const blockRecord = async (): Promise<FramesClient> => {
    for (let i = 0; i < 150; i++)
      await call(fixture.client, 'createCharge', chargeRequest(`r-${i}`, { reference: 'x'.repeat(200) }));
    const client = connectFrames({ gives: false });
    client.sendSettings({ [Setting.INITIAL_WINDOW_SIZE]: 1 << 20 });
    await client.ping();
    client.call(1, RECORD, recordBody('first'));
    expect(await client.status(1)).toBe(Code.OK);
    client.call(3, LIST, listBody(150));
    client.call(5, LIST, listBody(150));
    await waitFor('a window that is used up', () => client.window === 0);
    client.call(7, RECORD, recordBody('new'));
    await waitFor('the record', () => fixture.counts.filter((count) => count === 'RecordCharges 0')[1]);
    await client.ping();
    return client;
  };

  test('with a new answer behind them', async () => {
    const client = await blockRecord();
    // Its headers and trailers have much that is in no table yet.
    client.call(9, RECORD, recordBody('x', { model: '' }));
    client.call(11, `${SERVICE}/Nothing`, healthBody());
    client.call(13, HEALTH, healthBody());
    await client.ping();
    expect(client.answer(7).ends).toBe(0);
    client.gives = true;
    client.give(0, 65_535);
    for (const id of [3, 5, 7, 9, 13]) expect(await client.status(id)).toBe(Code.OK);
    expect(await client.status(11)).toBe(Code.UNIMPLEMENTED);
  });

  test('with a smaller table behind them', async () => {
    const client = await blockRecord();
    client.sendSettings({ [Setting.HEADER_TABLE_SIZE]: 0 });
    await client.ping();
    client.call(9, CREATE, createBody(''));
    await client.ping();
    client.gives = true;
    client.give(0, 65_535);
    for (const id of [3, 5, 7]) expect(await client.status(id)).toBe(Code.OK);
    expect(await client.status(9)).toBe(Code.INVALID_ARGUMENT);
  });
});

test('DATA waits for windows, byte by byte, and takes no more than they are', async () => {
  const client = connectFrames({ gives: false });
  client.sendSettings({ [Setting.INITIAL_WINDOW_SIZE]: 0 });
  await client.ping();
  client.call(1, CREATE, createBody('r-1'));
  client.call(3, RECORD, recordBody('r-2'));
  await waitFor('both', () => client.answer(1).lists.length === 1 && client.answer(3).lists.length === 1);
  for (let i = 1; client.answer(1).ends === 0 || client.answer(3).ends === 0; i++) {
    for (const id of [1, 3]) if (client.answer(id).ends === 0) client.give(id, 1);
    await client.ping();
  }
  expect(CreateChargeResponse.decode(messagesIn(client.answer(1).body)[0] as Buffer).charge).toBeDefined();
  expect(
    RecordChargesResponse.decode(messagesIn(client.answer(3).body)[0] as Buffer).result?.charge,
  ).toBeDefined();
});

test('the window of streams follows SETTINGS, below nothing too', async () => {
  const client = connectFrames({ gives: false });
  for (let i = 0; i < 5; i++) await call(fixture.client, 'createCharge', chargeRequest(`r-${i}`));
  client.sendSettings({ [Setting.INITIAL_WINDOW_SIZE]: 100 });
  await client.ping();
  client.call(1, LIST, listBody());
  await waitFor('what the window allows', () => client.answer(1).body.length === 100);
  client.sendSettings({ [Setting.INITIAL_WINDOW_SIZE]: 10 });
  await client.ping();
  client.give(1, 80);
  await client.ping();
  expect(client.answer(1).body.length).toBe(100);
  client.sendSettings({ [Setting.INITIAL_WINDOW_SIZE]: 60_000 });
  expect(await client.status(1)).toBe(Code.OK);
});

test('a window that lists of the lane use up is shared with a watch, and nothing is lost', async () => {
  for (let i = 0; i < 300; i++)
    await call(fixture.client, 'createCharge', chargeRequest(`r-${i}`, { reference: 'x'.repeat(250) }));
  const client = connectFrames({ gives: false });
  client.sendSettings({ [Setting.INITIAL_WINDOW_SIZE]: 1 << 20 });
  await client.ping();
  client.call(1, LIST, listBody(300));
  client.call(3, WATCH, watchBody());
  client.call(5, LIST, listBody(300), PAST_THE_LANE);
  client.call(7, LIST, listBody(300));
  const watched = (): Buffer[] => messagesIn(wholeMessages(client.answer(3).body));
  while (watched().length < 300 || [1, 5, 7].some((id) => client.answer(id).ends === 0)) {
    await waitFor(
      'a window that is used up, or the end',
      () => client.window === 0 || watched().length === 300,
    );
    const step = 1 + Math.floor(Math.random() * 9000);
    client.give(0, step);
    await client.ping();
  }
  const lists = [1, 5, 7].map((id) => client.answer(id).body);
  expect(lists[1]).toEqual(lists[0]);
  expect(lists[2]).toEqual(lists[0]);
  expect(watched().map((bytes) => sequenceIn(bytes))).toEqual(Array.from({ length: 300 }, (_, i) => i + 1));
  client.send(reset(3));
  await waitFor('the watch', () => fixture.server.load.watchStreams === 0);
});

function sequenceIn(bytes: Buffer): number {
  const { event } = WatchChargesResponse.decode(bytes);
  return event?.$case === 'chargeCreated' ? Number(event.value.sequence) : -1;
}

/** The messages that have arrived as a whole. */
function wholeMessages(body: Buffer): Buffer {
  let at = 0;
  while (at + 5 <= body.length && at + 5 + body.readUInt32BE(at + 1) <= body.length)
    at += 5 + body.readUInt32BE(at + 1);
  return body.subarray(0, at);
}

test('any calls in any pieces get their answers, once and the right ones', async () => {
  const kind = fc.record({
    path: fc.constantFrom(CREATE, RECORD, HEALTH),
    past: fc.boolean(),
    headers: fc.record({
      partBytes: fc.integer({ min: 10, max: 200 }),
      padding: fc.option(fc.nat(255), { nil: undefined }),
      priority: fc.boolean(),
    }),
    data: fc.record({
      partBytes: fc.integer({ min: 5, max: 300 }),
      padding: fc.option(fc.nat(255), { nil: undefined }),
    }),
  });
  const cuts = fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 10 });
  let run = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(kind, { minLength: 1, maxLength: 12 }), cuts, async (kinds, sizes) => {
      const client = connectFrames({ first: [] });
      const encoder = new IndexingEncoder();
      run++;
      const bytes = Buffer.concat([
        PREFACE,
        settingsFrame(),
        ...kinds.flatMap(({ path, past, headers, data }, index) => {
          const id = 2 * index + 1;
          const name = `u-${run}-${index}`;
          const body =
            path === CREATE
              ? createBody(name, { userProfile: name })
              : path === RECORD
                ? recordBody(name, { userProfile: name })
                : healthBody();
          const block = encoder.encode(requestFields(path, past ? PAST_THE_LANE : []));
          // Undefined is as good as not there.
          return [headersFrames(id, block, headers as object), dataFrames(id, body, data as object)];
        }),
      ]);
      await client.sendInPieces(bytes, sizes);
      for (const [index, { path }] of kinds.entries()) {
        const name = `u-${run}-${index}`;
        expect(await client.status(2 * index + 1)).toBe(Code.OK);
        const { body, ends } = client.answer(2 * index + 1);
        expect(ends).toBe(1);
        const [message, ...others] = messagesIn(body) as [Buffer];
        expect(others).toEqual([]);
        if (path === CREATE) expect(CreateChargeResponse.decode(message).charge?.userProfile).toBe(name);
        if (path === RECORD)
          expect(RecordChargesResponse.decode(message).result?.charge?.userProfile).toBe(name);
      }
      expect(client.violations).toEqual([]);
      client.destroy();
    }),
    { numRuns: 100 },
  );
});
