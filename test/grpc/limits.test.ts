/** Bounds of work in hand: slots, deadlines, streams. */

import type { ClientHttp2Stream } from 'node:http2';
import { once } from 'node:events';

import { afterEach, describe, expect, test } from '@jest/globals';

import { CreateChargeRequest } from '../../generated/charge/v1/charge_service.ts';
import { waitFor } from '../support/wait-for.ts';
import { connectRaw, frame, open } from './support/raw.ts';
import { call, chargeRequest, failureOf, errorOf, type Fixture, startServer } from './support/server.ts';

let fixture: Fixture;
afterEach(() => fixture.close());

test('calls beyond the slots are refused before any work, with a time to wait', async () => {
  fixture = await startServer({ inFlightCallsMax: 2 });
  const { client, book, server } = fixture;
  book.hold();
  const held = ['r-1', 'r-2'].map((id) => call(client, 'createCharge', chargeRequest(id)));
  await waitFor('two groups', () => book.heldGroups === 2);
  const refused = await failureOf(call(client, 'createCharge', chargeRequest('r-3')));
  expect(refused).toMatchObject({
    code: 'RESOURCE_EXHAUSTED',
    reason: 'OVERLOADED',
    metadata: { limit: 'in_flight_calls' },
    retryAfterMs: 1500,
  });
  expect(book.groups).toHaveLength(2);
  expect(server.load.callsInFlight).toBe(2);
  book.release();
  await Promise.all(held);
  await call(client, 'createCharge', chargeRequest('r-3'));
  expect(server.load.callsInFlight).toBe(0);
});

test('a slot stays taken until the work is done, also when the caller is gone', async () => {
  fixture = await startServer({ inFlightCallsMax: 1 });
  const { client, book, server } = fixture;
  book.hold();
  const gone = failureOf(call(client, 'createCharge', chargeRequest('r-1'), { deadline: Date.now() + 100 }));
  await waitFor('the group', () => book.heldGroups === 1);
  expect((await gone).code).toBe('DEADLINE_EXCEEDED');
  await waitFor('the signal', () => book.signals[0]?.aborted);
  const next = await failureOf(call(client, 'createCharge', chargeRequest('r-2')));
  expect(next.reason).toBe('OVERLOADED');
  book.release();
  await waitFor('the slot', () => server.load.callsInFlight === 0);
  await waitFor('the count', () => fixture.counts.includes('CreateCharge 4'));
});

describe('bytes that callers make the server keep', () => {
  const expectRefusal = async () => {
    expect(await failureOf(call(fixture.client, 'createCharge', chargeRequest('refused')))).toMatchObject({
      code: 'RESOURCE_EXHAUSTED',
      reason: 'OVERLOADED',
      metadata: { limit: 'held_bytes' },
    });
  };

  test('are bounded: answers that nobody takes keep new calls out until their callers are gone', async () => {
    fixture = await startServer({ heldBytesMax: 10_000 });
    const { server, address, client } = fixture;
    const session = connectRaw(address, { settings: { initialWindowSize: 0 } });
    // Until one of them is refused: what it sends counts as well, while it does.
    for (let i = 0, status: unknown = undefined; status === undefined; i++) {
      const unread = open(session, 'CreateCharge');
      unread.end(encodedFrame(`unread-${i}`));
      const [headers] = (await once(unread, 'response')) as [Record<string, unknown>];
      status = headers['grpc-status'];
    }
    expect(server.load.heldBytes).toBeGreaterThan(9_000);
    await expectRefusal();
    session.destroy();
    await waitFor('the bytes to be given back', () => server.load.heldBytes === 0);
    await call(client, 'createCharge', chargeRequest('accepted'));
  });

  test('are bounded: a request whose rest does not arrive is refused, and its bytes are given back', async () => {
    fixture = await startServer({ heldBytesMax: 10_000 });
    const { server, address, client } = fixture;
    const session = connectRaw(address);
    const half = frame(new Uint8Array(6_000), 0, 12_000);
    open(session, 'BatchCreateCharges').write(half);
    await waitFor('the first half', () => server.load.heldBytes > 6_000);
    const second = open(session, 'BatchCreateCharges');
    second.write(half);
    const [headers] = (await once(second, 'response')) as [Record<string, unknown>];
    expect(headers['grpc-status']).toBe('8');
    expect(server.load.callsInFlight).toBe(0);
    session.destroy();
    await waitFor('the bytes to be given back', () => server.load.heldBytes === 0);
    await call(client, 'createCharge', chargeRequest('accepted'));
  });

  test('are bounded: so are headers of calls whose request does not arrive at all', async () => {
    fixture = await startServer({ heldBytesMax: 100_000 });
    const { server, address, client } = fixture;
    const session = connectRaw(address);
    const begin = (): ClientHttp2Stream => open(session, 'CreateCharge', { 'x-filler': 'x'.repeat(60_000) });
    begin();
    await waitFor('the first', () => server.load.heldBytes > 60_000);
    const [headers] = (await once(begin(), 'response')) as [Record<string, unknown>];
    expect(headers['grpc-status']).toBe('8');
    await call(client, 'createCharge', chargeRequest('accepted'));
    session.destroy();
    await waitFor('the bytes to be given back', () => server.load.heldBytes === 0);
  });
});

function encodedFrame(requestId: string): Buffer {
  return frame(CreateChargeRequest.encode(chargeRequest(requestId)).finish());
}

test('a refused or failed call gives its slot back', async () => {
  fixture = await startServer({ inFlightCallsMax: 1 });
  const { client, book, server } = fixture;
  for (let i = 0; i < 3; i++) {
    book.failures.push(new Error('broken'));
    expect((await failureOf(call(client, 'createCharge', chargeRequest('r')))).code).toBe('INTERNAL');
    expect((await failureOf(call(client, 'createCharge', chargeRequest('')))).code).toBe('INVALID_ARGUMENT');
  }
  expect(server.load.callsInFlight).toBe(0);
});

test("a call without a deadline is answered after the server's own limit", async () => {
  fixture = await startServer({ deadlineMaxMs: 200 });
  const { client, book, server, counts } = fixture;
  book.hold();
  const startedAt = performance.now();
  const calls = ['r-1', 'r-2'].map((id) => failureOf(call(client, 'createCharge', chargeRequest(id))));
  for (const error of await Promise.all(calls)) {
    expect(error).toMatchObject({ code: 'DEADLINE_EXCEEDED', reason: 'DEADLINE_EXCEEDED' });
  }
  expect(performance.now() - startedAt).toBeGreaterThanOrEqual(195);
  expect(book.signals.every((signal) => signal?.aborted)).toBe(true);
  expect(server.load.callsInFlight).toBe(2);
  book.release();
  await waitFor('the slots', () => server.load.callsInFlight === 0);
  expect(counts.filter((count) => count === 'CreateCharge 4')).toHaveLength(2);
  // The list of running calls is intact: a later call still meets its limit.
  book.hold();
  const later = await failureOf(call(client, 'createCharge', chargeRequest('r-3')));
  expect(later.code).toBe('DEADLINE_EXCEEDED');
});

test('a deadline beyond 600 hours does not wrap', async () => {
  fixture = await startServer();
  const { client, book } = fixture;
  book.hold();
  const hour = 3_600_000;
  const calls = [590, 600, 5000, 90_000].map((hours) =>
    call(client, 'createCharge', chargeRequest(`r-${hours}`), { deadline: Date.now() + hours * hour }),
  );
  await waitFor('every call', () => book.heldGroups === calls.length);
  // A wrapped deadline passes within a millisecond; this one takes a hundred.
  const short = call(client, 'createCharge', chargeRequest('r-1'), { deadline: Date.now() + 100 });
  expect((await failureOf(short)).code).toBe('DEADLINE_EXCEEDED');
  book.release();
  await Promise.all(calls);
});

test('streams beyond the limit are refused, and a closed one makes room', async () => {
  fixture = await startServer({ streamsMax: 1 });
  const { client, server } = fixture;
  const first = client.watchCharges({ startSequence: undefined, filter: undefined });
  first.on('error', () => {});
  await waitFor('the watch', () => server.load.watchStreams === 1);
  const second = client.recordCharges();
  const error = await new Promise((resolve) => second.on('error', resolve));
  expect(errorOf(error)).toMatchObject({
    code: 'RESOURCE_EXHAUSTED',
    reason: 'OVERLOADED',
    metadata: { limit: 'open_streams' },
  });
  first.cancel();
  await waitFor('room', () => server.load.watchStreams === 0);
  const third = client.recordCharges();
  third.on('error', () => {});
  await waitFor('the stream', () => server.load.recordStreams === 1);
});
