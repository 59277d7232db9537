/** Bounds of work: calls in flight, bytes, times, streams. */

import { once } from 'node:events';
import { type ClientHttp2Session, type ClientHttp2Stream, constants } from 'node:http2';

import { status as Code } from '@grpc/grpc-js';
import { afterEach, describe, expect, test } from '@jest/globals';

import {
  CreateChargeRequest,
  ListChargesRequest,
  RecordChargesRequest,
} from '../../generated/charge/v1/charge_service.ts';
import { waitFor } from '../support/wait-for.ts';
import { connectRaw, frame, open, type RawResponse, responseOf } from './support/raw.ts';
import { call, chargeRequest, failureOf, errorOf, type Fixture, startServer } from './support/server.ts';

let fixture: Fixture;
const sessions: ClientHttp2Session[] = [];
const connect = (options: Parameters<typeof connectRaw>[1] = {}): ClientHttp2Session => {
  const session = connectRaw(fixture.address, options);
  sessions.push(session);
  return session;
};
afterEach(() => {
  for (const session of sessions.splice(0)) session.destroy();
  return fixture.close();
});

test('calls beyond the limit are refused before any work, with a time to wait', async () => {
  fixture = await startServer({ inFlightCallsMax: 2 });
  const { client, journal, server } = fixture;
  journal.hold();
  const held = ['r-1', 'r-2'].map((id) => call(client, 'createCharge', chargeRequest(id)));
  await waitFor('two groups', () => journal.heldGroups === 2);
  const refused = await failureOf(call(client, 'createCharge', chargeRequest('r-3')));
  expect(refused).toMatchObject({
    code: 'RESOURCE_EXHAUSTED',
    reason: 'OVERLOADED',
    metadata: { limit: 'in_flight_calls' },
    retryAfterMs: 1500,
  });
  expect(journal.groups).toHaveLength(2);
  expect(server.load.callsInFlight).toBe(2);
  journal.release();
  await Promise.all(held);
  await call(client, 'createCharge', chargeRequest('r-3'));
  expect(server.load.callsInFlight).toBe(0);
});

test('a call stays counted until its work is done, even if the caller is gone', async () => {
  fixture = await startServer({ inFlightCallsMax: 1 });
  const { client, journal, server } = fixture;
  journal.hold();
  const gone = failureOf(call(client, 'createCharge', chargeRequest('r-1'), { deadline: Date.now() + 100 }));
  await waitFor('the group', () => journal.heldGroups === 1);
  expect((await gone).code).toBe('DEADLINE_EXCEEDED');
  await waitFor('the signal', () => journal.signals[0]?.aborted);
  const next = await failureOf(call(client, 'createCharge', chargeRequest('r-2')));
  expect(next.reason).toBe('OVERLOADED');
  journal.release();
  await waitFor('the call to be released', () => server.load.callsInFlight === 0);
  await waitFor('the count', () => fixture.counts.includes('CreateCharge 4'));
});

/** What a refusal at a limit of bytes says. */
const overloadedBy = (limit: string) => ({
  code: 'RESOURCE_EXHAUSTED',
  reason: 'OVERLOADED',
  metadata: { limit },
  retryAfterMs: 1500,
});

describe('bytes of requests', () => {
  const half = frame(new Uint8Array(6_000), 0, 12_000);
  const isReleased = () => waitFor('the bytes to be released', () => fixture.server.load.requestBytes === 0);
  const grpcStatusOf = async (stream: ClientHttp2Stream): Promise<unknown> => {
    const [headers] = (await once(stream, 'response')) as [Record<string, unknown>];
    return Number(headers['grpc-status']);
  };

  test('are counted while a request arrives, bounded, and released when its stream is closed', async () => {
    fixture = await startServer({ requestBytesMax: 10_000 });
    const { server, client } = fixture;
    const session = connect();
    const first = open(session, 'BatchCreateCharges');
    first.write(half);
    await waitFor('the first half', () => server.load.requestBytes > 6_000);
    const second = open(session, 'BatchCreateCharges');
    second.write(half);
    expect(await grpcStatusOf(second)).toBe(Code.RESOURCE_EXHAUSTED);
    expect(server.load.requestBytes).toBeLessThanOrEqual(10_000);
    expect(server.load.callsInFlight).toBe(0);
    // There is room for a small request beside them.
    await call(client, 'createCharge', chargeRequest('small'));
    first.close(constants.NGHTTP2_CANCEL);
    await isReleased();
    const third = open(session, 'BatchCreateCharges');
    third.write(half);
    await waitFor('the third half', () => server.load.requestBytes > 6_000);
    session.destroy();
    await isReleased();
  });

  test('are counted until the end of the stream, even if the message is complete', async () => {
    fixture = await startServer({ requestBytesMax: 10_000 });
    const session = connect();
    const first = open(session, 'BatchCreateCharges');
    first.write(frame(new Uint8Array(6_000)));
    await waitFor('the message', () => fixture.server.load.requestBytes > 6_000);
    const second = open(session, 'BatchCreateCharges');
    second.write(frame(new Uint8Array(6_000)));
    expect(await grpcStatusOf(second)).toBe(Code.RESOURCE_EXHAUSTED);
    session.destroy();
    await isReleased();
  });

  test('are counted with what the server keeps for each piece: a byte a frame costs more than a byte', async () => {
    fixture = await startServer({ requestBytesMax: 10_000 });
    const session = connect();
    const stream = open(session, 'BatchCreateCharges');
    const refused = grpcStatusOf(stream);
    stream.write(frame(Buffer.alloc(0), 0, 12_000));
    await waitFor('the prefix', () => fixture.server.load.requestBytes > 0);
    const closed = once(stream, 'close');
    let sent = 0;
    for (; !stream.closed && sent < 1000; sent++) {
      stream.write(Buffer.alloc(1));
      // The answer to a ping: the server has read what was sent before, and node:http2 joined nothing to it.
      const answered = new Promise<void>((resolve) => void session.ping(() => resolve()));
      await Promise.race([answered, closed]);
    }
    expect(await refused).toBe(Code.RESOURCE_EXHAUSTED);
    expect(sent).toBeLessThan(100);
    session.destroy();
    await isReleased();
  });

  test('are counted while a call is in progress', async () => {
    fixture = await startServer({ requestBytesMax: 2_000 });
    const { client, journal, server } = fixture;
    journal.hold();
    const labels = new Map([1, 2, 3, 4].map((i) => [`label-${i}`, 'x'.repeat(255)]));
    const held = call(client, 'createCharge', chargeRequest('r-1', { labels }));
    await waitFor('the group', () => journal.heldGroups === 1);
    expect(server.load.requestBytes).toBeGreaterThan(1_000);
    const refused = await failureOf(call(client, 'createCharge', chargeRequest('r-2', { labels })));
    expect(refused).toMatchObject(overloadedBy('request_bytes'));
    expect(server.load.callsInFlight).toBe(1);
    journal.release();
    await held;
    await isReleased();
    await call(client, 'createCharge', chargeRequest('r-2', { labels }));
  });

  test('of an item of a record stream are counted until it is complete', async () => {
    fixture = await startServer({ requestBytesMax: 1_000_000 });
    const session = connect();
    const stream = open(session, 'RecordCharges');
    // Larger than any valid item: smaller ones are not counted.
    const request = chargeRequest('r-1', { reference: 'x'.repeat(200_000) });
    const item = frame(RecordChargesRequest.encode({ request }).finish());
    stream.write(item.subarray(0, -1));
    await waitFor('most of the item', () => fixture.server.load.requestBytes > item.length - 10);
    stream.write(item.subarray(-1));
    await waitFor('the rejection', () => fixture.counts.includes('rejected VALIDATION_FAILED'));
    await isReleased();
  });
});

describe('the time for the arrival of a request', () => {
  test.each(['CreateCharge', 'BatchCreateCharges', 'GetCharge', 'ListCharges', 'WatchCharges'])(
    'ends %s, however little or much of it has arrived',
    async (method) => {
      fixture = await startServer({ requestArrivalMaxMs: 100 });
      const session = connect();
      const parts = [
        Buffer.alloc(0),
        Buffer.alloc(3),
        frame(Buffer.alloc(9), 0, 10),
        frame(Buffer.alloc(10)),
      ];
      const responses = parts.map((part) => {
        const stream = open(session, method);
        stream.write(part);
        return responseOf(stream);
      });
      for (const { grpcStatus, trailers } of await Promise.all(responses)) {
        expect(grpcStatus).toBe(Code.DEADLINE_EXCEEDED);
        expect(trailers['grpc-status-details-bin']).toBeDefined();
      }
      expect(fixture.server.load).toMatchObject({ callsInFlight: 0, requestBytes: 0, watchStreams: 0 });
    },
  );

  test('ends no call that has arrived, and no record stream', async () => {
    fixture = await startServer({ requestArrivalMaxMs: 100 });
    const { client, journal } = fixture;
    journal.hold();
    const held = call(client, 'createCharge', chargeRequest('r-1'));
    const record = client.recordCharges();
    const answered = once(record, 'data');
    const watch = client.watchCharges({ startSequence: 1n, filter: undefined });
    const seen = once(watch, 'data');
    watch.on('error', () => {});
    await waitFor('the group', () => journal.heldGroups === 1);
    // A request that does not arrive shows when the time is over for all of them.
    const session = connect();
    expect((await responseOf(open(session, 'CreateCharge'))).grpcStatus).toBe(Code.DEADLINE_EXCEEDED);
    session.destroy();
    journal.release();
    record.write({ request: chargeRequest('r-2') });
    await Promise.all([held, answered, seen]);
    record.end();
    await once(record, 'end');
    watch.cancel();
  });

  test('ends calls that no service has', async () => {
    fixture = await startServer({ requestArrivalMaxMs: 100 });
    const session = connect();
    const responses = [{ ':path': '/no/Method' }, { 'content-type': 'text/plain' }].map((headers) =>
      responseOf(open(session, 'CreateCharge', headers)),
    );
    const [unknown, notGrpc] = await Promise.all(responses);
    expect([unknown?.grpcStatus, notGrpc?.httpStatus]).toEqual([Code.UNIMPLEMENTED, 415]);
  });
});

describe('bytes of responses that are not read', () => {
  const PAGES = 40;
  /** Charges for a page of about 60 KB. */
  const fill = async (): Promise<void> => {
    const requests = Array.from({ length: 100 }, (_, i) =>
      chargeRequest(`r-${i}`, { reference: 'x'.repeat(255) }),
    );
    await call(fixture.client, 'batchCreateCharges', { requests });
  };
  const list = () => call(fixture.client, 'listCharges', ListChargesRequest.fromPartial({}));
  const askForPages = (session: ClientHttp2Session, count: number): Promise<RawResponse>[] =>
    Array.from({ length: count }, () => {
      const stream = open(session, 'ListCharges');
      stream.end(frame(Buffer.alloc(0)));
      return responseOf(stream);
    });
  /** The next page for a connection; undefined as long as the server would send it. */
  const refusalOn = async (session: ClientHttp2Session): Promise<number | undefined> => {
    const stream = open(session, 'ListCharges');
    stream.end(frame(Buffer.alloc(0)));
    const [headers] = (await once(stream, 'response')) as [Record<string, unknown>];
    return 'grpc-status' in headers ? Number(headers['grpc-status']) : undefined;
  };

  test('a connection that does not read gets no more, while another one gets its pages', async () => {
    fixture = await startServer({ responseBytesMax: 1_000_000 });
    await fill();
    const session = connect({ settings: { initialWindowSize: 0 } });
    let pages = 0;
    for (; (await refusalOn(session)) === undefined; pages++) expect(pages).toBeLessThan(PAGES);
    // Of all bytes, a sixteenth may wait for one connection, and the page that exceeds it.
    expect(fixture.server.load.responseBytes).toBeLessThan(1_000_000 / 4);
    expect(await refusalOn(session)).toBe(Code.RESOURCE_EXHAUSTED);
    expect((await list()).charges).toHaveLength(100);
    // Small calls on the same connection go on.
    const create = frame(CreateChargeRequest.encode(chargeRequest('small')).finish());
    open(session, 'CreateCharge').end(create);
    await waitFor(
      'the small call',
      () => fixture.counts.filter((count) => count === 'CreateCharge 0').length === 1,
    );
    session.settings({ initialWindowSize: 1 << 24 });
    await waitFor('the pages to be read', () => fixture.server.load.responseBytes === 0);
    expect(await refusalOn(session)).toBeUndefined();
  });

  test('are released when the connection is closed', async () => {
    fixture = await startServer({ responseBytesMax: 1_000_000 });
    await fill();
    const session = connect({ settings: { initialWindowSize: 0 } });
    const responses = askForPages(session, 1);
    await waitFor('the page', () => fixture.server.load.responseBytes > 0);
    session.destroy();
    await Promise.all(responses);
    await waitFor('its release', () => fixture.server.load.responseBytes === 0);
  });

  test('are bounded if all pages are asked for at once', async () => {
    fixture = await startServer({ responseBytesMax: 1_000_000 });
    await fill();
    const session = connect({ settings: { initialWindowSize: 0 } });
    // While the database reads, nothing is unread yet.
    const goOn = fixture.journal.holdReads();
    const responses = askForPages(session, PAGES);
    await waitFor('every call', () => fixture.server.load.callsInFlight === PAGES);
    await waitFor('a call that reads', () => fixture.journal.queries.length > 0);
    goOn();
    const listed = () => fixture.counts.filter((count) => count.startsWith('ListCharges')).length;
    await waitFor('every call to be answered', () => listed() === PAGES);
    expect(fixture.server.load.responseBytes).toBeLessThan(1_000_000 / 4);
    expect(fixture.counts.filter((count) => count === 'ListCharges 8').length).toBeGreaterThan(PAGES / 2);
    expect((await list()).charges).toHaveLength(100);
    session.destroy();
    await Promise.all(responses);
    await waitFor('their release', () => fixture.server.load.responseBytes === 0);
  });

  test('of many connections are bounded together, and a connection that reads still gets its pages', async () => {
    fixture = await startServer({ responseBytesMax: 300_000 });
    await fill();
    const connections = Array.from({ length: 30 }, () => connect({ settings: { initialWindowSize: 0 } }));
    const refused = [];
    for (const session of connections) refused.push(await refusalOn(session));
    // A connection that has read everything may go on up to three times the limit.
    expect(refused).toContain(Code.RESOURCE_EXHAUSTED);
    expect(fixture.server.load.responseBytes).toBeLessThan(3 * 300_000 + 100_000);
    for (const session of connections.slice(2)) session.destroy();
    await waitFor('most of it to be released', () => fixture.server.load.responseBytes < 300_000);
    expect((await list()).charges).toHaveLength(100);
  });
});

test('a refused or failed call is not counted any more', async () => {
  fixture = await startServer({ inFlightCallsMax: 1 });
  const { client, journal, server } = fixture;
  for (let i = 0; i < 3; i++) {
    journal.failures.push(new Error('broken'));
    expect((await failureOf(call(client, 'createCharge', chargeRequest('r')))).code).toBe('INTERNAL');
    expect((await failureOf(call(client, 'createCharge', chargeRequest('')))).code).toBe('INVALID_ARGUMENT');
  }
  expect(server.load.callsInFlight).toBe(0);
});

test("a call without a deadline is answered after the server's own limit", async () => {
  fixture = await startServer({ deadlineMaxMs: 200 });
  const { client, journal, server, counts } = fixture;
  journal.hold();
  const startedAt = performance.now();
  const calls = ['r-1', 'r-2'].map((id) => failureOf(call(client, 'createCharge', chargeRequest(id))));
  for (const error of await Promise.all(calls)) {
    expect(error).toMatchObject({ code: 'DEADLINE_EXCEEDED', reason: 'DEADLINE_EXCEEDED' });
  }
  expect(performance.now() - startedAt).toBeGreaterThanOrEqual(195);
  expect(journal.signals.every((signal) => signal?.aborted)).toBe(true);
  expect(server.load.callsInFlight).toBe(2);
  journal.release();
  await waitFor('the calls to be released', () => server.load.callsInFlight === 0);
  expect(counts.filter((count) => count === 'CreateCharge 4')).toHaveLength(2);
  // The list of running calls is intact: a later call still meets its limit.
  journal.hold();
  const later = await failureOf(call(client, 'createCharge', chargeRequest('r-3')));
  expect(later.code).toBe('DEADLINE_EXCEEDED');
});

test('a deadline beyond 600 hours does not wrap', async () => {
  fixture = await startServer();
  const { client, journal } = fixture;
  journal.hold();
  const hour = 3_600_000;
  const calls = [590, 600, 5000, 90_000].map((hours) =>
    call(client, 'createCharge', chargeRequest(`r-${hours}`), { deadline: Date.now() + hours * hour }),
  );
  await waitFor('every call', () => journal.heldGroups === calls.length);
  // A wrapped deadline passes within a millisecond; this one takes a hundred.
  const short = call(client, 'createCharge', chargeRequest('r-1'), { deadline: Date.now() + 100 });
  expect((await failureOf(short)).code).toBe('DEADLINE_EXCEEDED');
  journal.release();
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

test('a connection with many streams does not keep another one from opening its first', async () => {
  fixture = await startServer({ streamsMax: 2 });
  const { client, server } = fixture;
  const watch = (of: typeof client) => {
    const stream = of.watchCharges({ startSequence: undefined, filter: undefined });
    const failed = new Promise<unknown>((resolve) => stream.on('error', resolve));
    return { stream, failed };
  };
  const greedy = [watch(client), watch(client)];
  await waitFor('two watches', () => server.load.watchStreams === 2);
  expect(errorOf(await watch(client).failed).metadata).toEqual({ limit: 'open_streams' });
  const other = fixture.newClient();
  const first = watch(other);
  await waitFor('the first watch of the other', () => server.load.watchStreams === 3);
  expect(errorOf(await watch(other).failed).metadata).toEqual({ limit: 'open_streams' });
  for (const { stream } of [...greedy, first]) stream.cancel();
});

test('calls of a method that wait for others are limited', async () => {
  fixture = await startServer({}, {});
  const { journal, client } = fixture;
  const release = journal.holdReads();
  const list = ListChargesRequest.fromPartial({});
  const calls = Array.from({ length: 300 }, () =>
    call(client, 'listCharges', list).then(
      () => 'OK',
      (error: unknown) => `${errorOf(error).reason} ${errorOf(error).metadata['limit']}`,
    ),
  );
  await waitFor(
    'refusals',
    () => fixture.counts.filter((count) => count === 'refused OVERLOADED').length === 40,
  );
  release();
  const outcomes = await Promise.all(calls);
  expect(outcomes.filter((outcome) => outcome === 'OK')).toHaveLength(260);
  expect(outcomes.filter((outcome) => outcome === 'OVERLOADED waiting_calls')).toHaveLength(40);
});
