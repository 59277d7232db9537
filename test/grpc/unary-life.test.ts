/** How long calls and connections live, with the lane beside grpc-js and without it. */

import { type ClientHttp2Session, constants } from 'node:http2';
import { setTimeout as delay } from 'node:timers/promises';

import { status as Code } from '@grpc/grpc-js';
import { afterEach, describe, expect, test } from '@jest/globals';

import { CreateChargeRequest, ListChargesRequest } from '../../generated/charge/v1/charge_service.ts';
import type { RpcLimits } from '../../src/grpc/dependencies.ts';
import { waitFor } from '../support/wait-for.ts';
import { connectRaw, frame, open, request, responseOf } from './support/raw.ts';
import { call, chargeRequest, failureOf, type Fixture, startServer } from './support/server.ts';

const create = (requestId: string): Buffer =>
  frame(CreateChargeRequest.encode(chargeRequest(requestId)).finish());

describe.each([
  ['with the lane', true],
  ['with grpc-js alone', false],
])('%s', (_name, lane) => {
  let fixture: Fixture;
  let session: ClientHttp2Session;
  const start = async (limits: Partial<RpcLimits> = {}, settings = {}): Promise<void> => {
    fixture = await startServer(limits, lane);
    session = connectRaw(fixture.address, { settings });
  };
  afterEach(async () => {
    session.destroy();
    await fixture.close();
    expect(fixture.server.load.callsInFlight).toBe(0);
  });
  const closed = (): Promise<void> => new Promise((resolve) => session.once('close', () => resolve()));

  test('a connection is closed once it has been idle for its time', async () => {
    await start({ connectionIdleMaxMs: 300 });
    const gone = closed();
    for (let i = 0; i < 5; i++) {
      await request(session, 'CreateCharge', create(`r-${i}`));
      await delay(100);
    }
    expect(session.closed).toBe(false);
    const before = performance.now();
    await gone;
    expect(performance.now() - before).toBeGreaterThan(150);
  });

  test('a connection with a call in hand is not idle', async () => {
    await start({ connectionIdleMaxMs: 200 });
    const gone = closed();
    fixture.book.hold();
    const held = request(session, 'CreateCharge', create('r-1'));
    const half = open(session, 'CreateCharge');
    half.write(Buffer.alloc(3));
    await delay(600);
    expect(session.closed).toBe(false);
    fixture.book.release();
    expect((await held).grpcStatus).toBe(Code.OK);
    await delay(400);
    expect(session.closed).toBe(false);
    half.close(constants.NGHTTP2_CANCEL);
    await gone;
  });

  test('a connection that has its age finishes what it has in hand and takes nothing new', async () => {
    await start({ connectionAgeMaxMs: 200, connectionAgeGraceMs: 5000 });
    const gone = closed();
    fixture.book.hold();
    const held = request(session, 'CreateCharge', create('r-1'));
    await new Promise((resolve) => session.once('goaway', resolve));
    await delay(100);
    expect(session.destroyed).toBe(false);
    fixture.book.release();
    expect((await held).grpcStatus).toBe(Code.OK);
    await gone;
  });

  test('a connection is cut when its age and the grace are over', async () => {
    await start({ connectionAgeMaxMs: 200, connectionAgeGraceMs: 200 });
    const gone = closed();
    fixture.book.hold();
    const held = request(session, 'CreateCharge', create('r-1'));
    await gone;
    await held;
    await waitFor('the signal', () => fixture.book.signals[0]?.aborted);
    fixture.book.release();
    await waitFor('the count', () => fixture.counts.includes('CreateCharge 1'));
  });

  test("the server keeps the caller's deadline, whatever the caller does", async () => {
    await start();
    fixture.book.hold();
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
    expect(performance.now() - before).toBeLessThan(1000);
    await waitFor('the signal', () => fixture.book.signals[0]?.aborted);
    expect(fixture.server.load.callsInFlight).toBe(1);
    fixture.book.release();
    await waitFor('the count', () => fixture.counts.includes('CreateCharge 4'));
    expect(fixture.book.groups).toHaveLength(1);
  });

  test('a caller that resets its call withdraws it, and one that does so early is never heard of', async () => {
    await start();
    fixture.book.hold();
    const unfinished = open(session, 'CreateCharge');
    unfinished.write(create('r-1').subarray(0, 20));
    const held = open(session, 'CreateCharge');
    held.end(create('r-2'));
    await waitFor('the group', () => fixture.book.heldGroups === 1);
    for (const stream of [unfinished, held]) stream.close(constants.NGHTTP2_CANCEL);
    await waitFor('the signal', () => fixture.book.signals[0]?.aborted);
    expect(fixture.server.load.callsInFlight).toBe(1);
    fixture.book.release();
    await waitFor('the count', () => fixture.counts.includes('CreateCharge 1'));
    expect(fixture.counts).toEqual(['CreateCharge 1']);
    expect((await request(session, 'CreateCharge', create('r-3'))).grpcStatus).toBe(Code.OK);
  });

  test('a connection that breaks withdraws its calls', async () => {
    await start();
    fixture.book.hold();
    const calls = ['r-1', 'r-2'].map((id) => request(session, 'CreateCharge', create(id)));
    await waitFor('the groups', () => fixture.book.heldGroups === 2);
    session.destroy();
    await Promise.all(calls);
    await waitFor('the signals', () => fixture.book.signals.every((signal) => signal?.aborted));
    fixture.book.release();
    await waitFor('the counts', () => fixture.counts.length === 2);
    expect(fixture.counts).toEqual(['CreateCharge 1', 'CreateCharge 1']);
  });

  test('an answer waits for its reader, and is gone with it', async () => {
    await start({}, { initialWindowSize: 0 });
    for (let i = 0; i < 20; i++) await call(fixture.client, 'createCharge', chargeRequest(`r-${i}`));
    const list = frame(ListChargesRequest.encode(ListChargesRequest.fromPartial({})).finish());
    const waiting = [1, 2].map(() => open(session, 'ListCharges'));
    const responses = waiting.map(responseOf);
    for (const stream of waiting) stream.end(list);
    await waitFor('the answers', () => fixture.counts.length === 22);
    expect(fixture.server.load.callsInFlight).toBe(0);
    waiting[0]?.close(constants.NGHTTP2_CANCEL);
    expect((await responses[0])?.grpcStatus).toBeUndefined();
    session.settings({ initialWindowSize: 1 << 20 });
    const response = await responses[1];
    expect(response?.grpcStatus).toBe(Code.OK);
    expect(response?.body.length).toBeGreaterThan(1000);
  });

  test('an answer that its reader did not take in time ends with DEADLINE_EXCEEDED', async () => {
    await start({}, { initialWindowSize: 0 });
    const response = request(session, 'CreateCharge', create('r-1'), { 'grpc-timeout': '150m' });
    await waitFor('the answer', () => fixture.counts.length === 1);
    await delay(300);
    session.settings({ initialWindowSize: 1 << 20 });
    expect((await response).grpcStatus).toBe(Code.DEADLINE_EXCEEDED);
  });

  test('a drain finishes what is in hand, refuses what comes, and cuts what is left', async () => {
    await start();
    fixture.book.hold();
    const half = open(session, 'CreateCharge');
    half.write(create('r-1').subarray(0, 20));
    const held = request(session, 'CreateCharge', create('r-2'));
    await waitFor('the group', () => fixture.book.heldGroups === 1);
    const gone = closed();
    const drained = fixture.server.drain(10_000);
    const refused = await request(session, 'CreateCharge', create('r-3'));
    expect(refused.grpcStatus).toBe(Code.UNAVAILABLE);
    expect(fixture.counts).toEqual(['CreateCharge 14', 'refused SHUTTING_DOWN']);
    // Here the late half of a request counts as new, too.
    half.end(create('r-1').subarray(20));
    expect((await responseOf(half)).grpcStatus).toBe(Code.UNAVAILABLE);
    fixture.book.release();
    expect((await held).grpcStatus).toBe(Code.OK);
    await drained;
    await gone;
  });

  test('a client of grpc-js gets what it asked for, a thousand times at once', async () => {
    await start();
    const { client, book } = fixture;
    const ids = Array.from({ length: 1000 }, (_, index) => `r-${index}`);
    const deadline = Date.now() + 30_000;
    const responses = await Promise.all(
      ids.map((id) =>
        call(client, 'createCharge', chargeRequest(id, { reference: id.repeat(20) }), { deadline }),
      ),
    );
    expect(responses.map(({ charge }) => charge?.reference)).toEqual(ids.map((id) => id.repeat(20)));
    book.failures.push(new Error('broken'));
    expect((await failureOf(call(client, 'createCharge', chargeRequest('x')))).code).toBe('INTERNAL');
  });
});
