/** How long calls and connections live. */

import { type ClientHttp2Session, constants } from 'node:http2';
import { once } from 'node:events';

import { status as Code } from '@grpc/grpc-js';
import { afterEach, expect, test } from '@jest/globals';

import { CreateChargeRequest, ListChargesRequest } from '../../generated/charge/v1/charge_service.ts';
import type { RpcLimits } from '../../src/grpc/limits.ts';
import { waitFor } from '../support/wait-for.ts';
import { connectRaw, frame, open, request, responseOf } from './support/raw.ts';
import { call, chargeRequest, failureOf, type Fixture, startServer } from './support/server.ts';

const create = (requestId: string): Buffer =>
  frame(CreateChargeRequest.encode(chargeRequest(requestId)).finish());

let fixture: Fixture;
let session: ClientHttp2Session;
const start = async (limits: Partial<RpcLimits> = {}, settings = {}): Promise<void> => {
  fixture = await startServer(limits);
  session = connectRaw(fixture.address, { settings });
};
afterEach(async () => {
  session.destroy();
  await fixture.close();
  expect(fixture.server.load).toMatchObject({ callsInFlight: 0, requestBytes: 0, responseBytes: 0 });
});
const closed = (): Promise<void> => new Promise((resolve) => session.once('close', () => resolve()));

test('a connection is closed once it has been idle for its time', async () => {
  await start({ connectionIdleMaxMs: 300 });
  const gone = closed();
  const connectedAtMs = performance.now();
  let lastCallAtMs = connectedAtMs;
  // Calls one after the other, for longer than the connection may be idle.
  for (let i = 0; lastCallAtMs - connectedAtMs < 600; i++) {
    expect((await request(session, 'CreateCharge', create(`r-${i}`))).grpcStatus).toBe(Code.OK);
    lastCallAtMs = performance.now();
  }
  expect(session.closed).toBe(false);
  await gone;
  // grpc-js looks at half of the time, and counts from the end of the last call.
  expect(performance.now() - lastCallAtMs).toBeGreaterThan(150);
});

test('a connection with a call in progress is not idle', async () => {
  await start({ connectionIdleMaxMs: 100 });
  const gone = closed();
  fixture.journal.hold();
  const held = request(session, 'CreateCharge', create('r-1'));
  await waitFor('the group', () => fixture.journal.heldGroups === 1);
  // Connections that are idle from now on are closed first: the idle time is the same for all.
  for (let i = 0; i < 3; i++) {
    const idle = connectRaw(fixture.address);
    await once(idle, 'close');
  }
  expect(session.closed).toBe(false);
  fixture.journal.release();
  expect((await held).grpcStatus).toBe(Code.OK);
  await gone;
});

test('a connection at its maximum age finishes its calls in progress and accepts nothing new', async () => {
  await start({ connectionAgeMaxMs: 200, connectionAgeGraceMs: 5000 });
  const gone = closed();
  fixture.journal.hold();
  const held = request(session, 'CreateCharge', create('r-1'));
  await once(session, 'goaway');
  expect(session.destroyed).toBe(false);
  fixture.journal.release();
  expect((await held).grpcStatus).toBe(Code.OK);
  await gone;
});

test('a connection is cut when its age and the grace are over', async () => {
  await start({ connectionAgeMaxMs: 200, connectionAgeGraceMs: 200 });
  const gone = closed();
  fixture.journal.hold();
  const held = request(session, 'CreateCharge', create('r-1'));
  await gone;
  await held;
  await waitFor('the signal', () => fixture.journal.signals[0]?.aborted);
  fixture.journal.release();
  await waitFor('the count', () => fixture.counts.includes('CreateCharge 1'));
});

test("the server keeps the caller's deadline, whatever the caller does", async () => {
  await start();
  fixture.journal.hold();
  const before = performance.now();
  const timeout = { 'grpc-timeout': '200m' };
  const held = request(session, 'CreateCharge', create('r-1'), timeout);
  const half = open(session, 'CreateCharge', timeout);
  const halfAnswered = responseOf(half);
  // The stream ends when both sides have ended.
  half.once('response', () => half.end());
  half.write(Buffer.alloc(3));
  for (const response of [await held, await halfAnswered]) {
    expect(response.trailers).toMatchObject({ 'grpc-status': '4', 'grpc-message': 'Deadline%20exceeded' });
  }
  expect(performance.now() - before).toBeGreaterThanOrEqual(198);
  await waitFor('the signal', () => fixture.journal.signals[0]?.aborted);
  expect(fixture.server.load.callsInFlight).toBe(1);
  fixture.journal.release();
  await waitFor('the count', () => fixture.counts.includes('CreateCharge 4'));
  expect(fixture.journal.groups).toHaveLength(1);
});

test('a caller that resets its call withdraws it, and a reset before the message is complete costs nothing', async () => {
  await start();
  fixture.journal.hold();
  const unfinished = open(session, 'CreateCharge');
  unfinished.write(create('r-1').subarray(0, 20));
  const held = open(session, 'CreateCharge');
  held.end(create('r-2'));
  await waitFor('the group', () => fixture.journal.heldGroups === 1);
  for (const stream of [unfinished, held]) stream.close(constants.NGHTTP2_CANCEL);
  await waitFor('the signal', () => fixture.journal.signals[0]?.aborted);
  expect(fixture.server.load.callsInFlight).toBe(1);
  fixture.journal.release();
  await waitFor('the count', () => fixture.counts.includes('CreateCharge 1'));
  expect(fixture.counts).toEqual(['CreateCharge 1']);
  expect((await request(session, 'CreateCharge', create('r-3'))).grpcStatus).toBe(Code.OK);
});

test('a connection that breaks withdraws its calls', async () => {
  await start();
  fixture.journal.hold();
  const calls = ['r-1', 'r-2'].map((id) => request(session, 'CreateCharge', create(id)));
  await waitFor('the groups', () => fixture.journal.heldGroups === 2);
  session.destroy();
  await Promise.all(calls);
  await waitFor('the signals', () => fixture.journal.signals.every((signal) => signal?.aborted));
  fixture.journal.release();
  await waitFor('the counts', () => fixture.counts.length === 2);
  expect(fixture.counts).toEqual(['CreateCharge 1', 'CreateCharge 1']);
});

test('a response waits for its reader, and is discarded when its reader is gone', async () => {
  await start({}, { initialWindowSize: 0 });
  for (let i = 0; i < 100; i++) await call(fixture.client, 'createCharge', chargeRequest(`r-${i}`, LONG));
  const list = frame(ListChargesRequest.encode(ListChargesRequest.fromPartial({})).finish());
  const waiting = [1, 2].map(() => open(session, 'ListCharges'));
  const responses = waiting.map(responseOf);
  for (const stream of waiting) stream.end(list);
  await waitFor('the responses', () => fixture.counts.length === 102);
  expect(fixture.server.load.callsInFlight).toBe(0);
  const unread = fixture.server.load.responseBytes;
  expect(unread).toBeGreaterThan(2 * 16_384);
  waiting[0]?.close(constants.NGHTTP2_CANCEL);
  expect((await responses[0])?.grpcStatus).toBeUndefined();
  await waitFor('the first to be released', () => fixture.server.load.responseBytes === unread / 2);
  session.settings({ initialWindowSize: 1 << 20 });
  const response = await responses[1];
  expect(response?.grpcStatus).toBe(Code.OK);
  expect(response?.body.length).toBeGreaterThan(16_384);
  await waitFor('the second to be released', () => fixture.server.load.responseBytes === 0);
});

const LONG = { reference: 'x'.repeat(255), model: 'm'.repeat(128) };

test('a response that is not read in time ends with DEADLINE_EXCEEDED', async () => {
  await start({}, { initialWindowSize: 0 });
  const response = request(session, 'CreateCharge', create('r-1'), { 'grpc-timeout': '150m' });
  await waitFor('the response', () => fixture.counts.length === 1);
  // A call with the same time limit, started later: when it is over, so is the first.
  fixture.journal.hold();
  const later = { deadline: Date.now() + 300 };
  expect((await failureOf(call(fixture.client, 'createCharge', chargeRequest('r-2'), later))).code).toBe(
    'DEADLINE_EXCEEDED',
  );
  session.settings({ initialWindowSize: 1 << 20 });
  expect((await response).grpcStatus).toBe(Code.DEADLINE_EXCEEDED);
  fixture.journal.release();
});

test('a unary call whose response is never read is closed in the end', async () => {
  await start({ requestArrivalMaxMs: 100, deadlineMaxMs: 50 }, { initialWindowSize: 0 });
  const response = request(session, 'CreateCharge', create('r-1'));
  const { grpcStatus, rstCode } = await response;
  expect([grpcStatus, rstCode]).toEqual([undefined, constants.NGHTTP2_CANCEL]);
});

test('a drain finishes the calls in progress, refuses new ones, and cuts what is left', async () => {
  await start();
  fixture.journal.hold();
  const half = open(session, 'CreateCharge');
  half.write(create('r-1').subarray(0, 20));
  const held = request(session, 'CreateCharge', create('r-2'));
  await waitFor('the group', () => fixture.journal.heldGroups === 1);
  const gone = closed();
  const drained = fixture.server.drain(10_000);
  const refused = await request(session, 'CreateCharge', create('r-3'));
  expect(refused.grpcStatus).toBe(Code.UNAVAILABLE);
  expect(fixture.counts).toEqual(['CreateCharge 14', 'refused SHUTTING_DOWN']);
  // A request whose second half arrives now is new, too.
  half.end(create('r-1').subarray(20));
  expect((await responseOf(half)).grpcStatus).toBe(Code.UNAVAILABLE);
  fixture.journal.release();
  expect((await held).grpcStatus).toBe(Code.OK);
  await drained;
  await gone;
});

test('a client of grpc-js gets what it asked for, a thousand times at once', async () => {
  await start();
  const { client, journal } = fixture;
  const ids = Array.from({ length: 1000 }, (_, index) => `r-${index}`);
  const deadline = Date.now() + 30_000;
  const responses = await Promise.all(
    ids.map((id) =>
      call(client, 'createCharge', chargeRequest(id, { reference: id.repeat(20) }), { deadline }),
    ),
  );
  expect(responses.map(({ charge }) => charge?.reference)).toEqual(ids.map((id) => id.repeat(20)));
  journal.failures.push(new Error('broken'));
  expect((await failureOf(call(client, 'createCharge', chargeRequest('x')))).code).toBe('INTERNAL');
});
