/** How a server ends: in order, with everything in progress finished, and within its time. */

import { once } from 'node:events';

import { credentials, status as Code } from '@grpc/grpc-js';
import { afterEach, beforeEach, expect, test } from '@jest/globals';

import type {
  RecordChargesResponse,
  WatchChargesResponse,
} from '../../generated/charge/v1/charge_service.ts';
import { waitFor } from '../support/wait-for.ts';
import { healthClient, watchHealth } from './support/health.ts';
import { connectRaw, frame, open, type RawResponse, responseOf } from './support/raw.ts';
import { call, chargeRequest, errorOf, failureOf, type Fixture, startServer } from './support/server.ts';

let fixture: Fixture;
beforeEach(async () => {
  fixture = await startServer();
});
afterEach(() => fixture.close());

test('an idle server is gone at once, connections included', async () => {
  const { client, server } = fixture;
  await call(client, 'createCharge', chargeRequest('r-1'));
  const before = performance.now();
  await server.drain(10_000);
  expect(performance.now() - before).toBeLessThan(5000);
  expect((await failureOf(call(client, 'createCharge', chargeRequest('r-2')))).code).toBe('UNAVAILABLE');
});

test('finishes calls in flight and refuses new ones with a time to wait', async () => {
  const { client, journal, server } = fixture;
  journal.hold();
  const held = call(client, 'createCharge', chargeRequest('r-1'));
  await waitFor('the group', () => journal.heldGroups === 1);
  const drained = server.drain(10_000);
  const refused = await failureOf(call(client, 'createCharge', chargeRequest('r-2')));
  expect(refused).toMatchObject({ code: 'UNAVAILABLE', reason: 'SHUTTING_DOWN', retryAfterMs: 1500 });
  journal.release();
  expect((await held).replayed).toBe(false);
  await drained;
  expect(server.load.callsInFlight).toBe(0);
});

test('ends long streams of every kind, after an answer to everything that they had accepted', async () => {
  const { client, journal, server, address } = fixture;
  journal.hold();
  const record = client.recordCharges();
  const answers: RecordChargesResponse[] = [];
  record.on('data', (answer: RecordChargesResponse) => answers.push(answer));
  const recordEnded = new Promise((resolve) => record.on('error', resolve));
  for (let i = 0; i < 20; i++) record.write({ request: chargeRequest(`r-${i}`) });
  await waitFor('the items', () => fixture.received() === 20);
  const watch = client.watchCharges({ startSequence: 1n, filter: undefined });
  const events: WatchChargesResponse[] = [];
  watch.on('data', (event: WatchChargesResponse) => events.push(event));
  const watchEnded = new Promise((resolve) => watch.on('error', resolve));
  await waitFor('an event', () => events.length > 0);
  const health = watchHealth(address, '');
  await waitFor('the status', () => health.statuses.length === 1);

  const drained = server.drain(10_000);
  expect(errorOf(await watchEnded)).toMatchObject({ code: 'UNAVAILABLE', reason: 'SHUTTING_DOWN' });
  journal.release();
  expect(errorOf(await recordEnded)).toMatchObject({ code: 'UNAVAILABLE', reason: 'SHUTTING_DOWN' });
  expect(answers).toHaveLength(20);
  expect(journal.entries).toHaveLength(20);
  expect((await health.ended).code).toBe('UNAVAILABLE');
  expect(health.statuses).toEqual(['SERVING', 'NOT_SERVING']);
  await drained;
  expect(server.load).toMatchObject({
    callsInFlight: 0,
    recordStreams: 0,
    watchStreams: 0,
    infrastructureStreams: 0,
  });
});

test('cuts what does not end in time', async () => {
  const { client, journal, server } = fixture;
  journal.hold();
  const held = failureOf(call(client, 'createCharge', chargeRequest('r-1')));
  const stuck = client.recordCharges();
  const stuckEnded = new Promise((resolve) => stuck.on('error', resolve));
  stuck.write({ request: chargeRequest('r-2') });
  await waitFor('the groups', () => journal.heldGroups === 2);
  const before = performance.now();
  await server.drain(300);
  const took = performance.now() - before;
  expect(took).toBeGreaterThanOrEqual(290);
  expect(took).toBeLessThan(5000);
  expect((await held).reason).toBe('SHUTTING_DOWN');
  expect(errorOf(await stuckEnded).reason).toBe('SHUTTING_DOWN');
});

/** A request whose rest never comes, once the server has its beginning. */
async function halfSent(): Promise<{
  readonly closed: Promise<unknown>;
  readonly response: Promise<RawResponse>;
}> {
  const session = connectRaw(fixture.address);
  const closed = once(session, 'close');
  const half = open(session, 'CreateCharge');
  half.write(Buffer.from([0, 0, 0, 0, 9, 1]));
  await waitFor('its beginning', () => fixture.server.load.requestBytes > 0);
  return { closed, response: responseOf(half) };
}

test('a request that never arrives in full does not keep a drain beyond its time', async () => {
  const { server } = fixture;
  const { closed } = await halfSent();
  const before = performance.now();
  await server.drain(300);
  expect(performance.now() - before).toBeLessThan(5000);
  await closed;
  await waitFor('its bytes to be released', () => server.load.requestBytes === 0);
  expect(server.load.connections).toBe(0);
});

test('a request that does not arrive within its own time keeps a drain no longer than that', async () => {
  await fixture.close();
  fixture = await startServer({ requestArrivalMaxMs: 200 });
  const { closed, response } = await halfSent();
  const before = performance.now();
  await fixture.server.drain(30_000);
  expect(performance.now() - before).toBeLessThan(5000);
  expect((await response).grpcStatus).toBe(Code.DEADLINE_EXCEEDED);
  await closed;
});

test('a response that its caller does not read does not keep a drain beyond its time', async () => {
  const { server, journal, client } = fixture;
  await call(client, 'batchCreateCharges', {
    requests: Array.from({ length: 100 }, (_, i) => chargeRequest(`r-${i}`, { reference: 'x'.repeat(255) })),
  });
  const session = connectRaw(fixture.address, { settings: { initialWindowSize: 0 } });
  open(session, 'ListCharges').end(frame(Buffer.alloc(0)));
  await waitFor('the response', () => server.load.responseBytes > 0);
  const closed = once(session, 'close');
  const before = performance.now();
  await server.drain(300);
  expect(performance.now() - before).toBeLessThan(5000);
  await closed;
  await waitFor('the response to be released', () => server.load.responseBytes === 0);
  expect(journal.queries).toHaveLength(1);
});

test('a readiness probe does not bring a draining server back', async () => {
  const { client, journal, server, address } = fixture;
  journal.hold();
  const held = call(client, 'createCharge', chargeRequest('r-1'));
  await waitFor('the group', () => journal.heldGroups === 1);
  const health = healthClient(address, credentials.createInsecure());
  expect(await health.check('')).toBe('SERVING');
  const drained = server.drain(10_000);
  server.setServing('', true);
  expect(await health.check('')).toBe('NOT_SERVING');
  journal.release();
  await held;
  await drained;
  health.close();
});
