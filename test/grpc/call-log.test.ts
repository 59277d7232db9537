/** What a caller's `x-request-id` is for, and what is logged about calls that are refused or fail. */

import type { ClientHttp2Session } from 'node:http2';

import { Metadata } from '@grpc/grpc-js';
import { afterEach, beforeEach, expect, test } from '@jest/globals';

import { waitFor } from '../support/wait-for.ts';
import { connectRaw, frame, request } from './support/raw.ts';
import { call, chargeRequest, failureOf, type Fixture, startServer } from './support/server.ts';

let fixture: Fixture;
let session: ClientHttp2Session;
beforeEach(async () => {
  fixture = await startServer();
  session = connectRaw(fixture.address);
});
afterEach(async () => {
  session.destroy();
  await fixture.close();
});

const logged = (fields: object) =>
  waitFor('the line', () => fixture.debugLogs.some((line) => matches(line, fields)));
const matches = (line: object, fields: object): boolean =>
  Object.entries(fields).every(([key, value]) => (line as Record<string, unknown>)[key] === value);

/** Sends a request with an empty message; the id that came back. */
async function returnedId(path: string, headers: Record<string, string>): Promise<unknown> {
  const response = await request(session, '', frame(Buffer.alloc(0)), { ':path': path, ...headers });
  return response.trailers['x-request-id'];
}

test('an x-request-id comes back with every answer, and stands in the log of every refusal', async () => {
  const check = '/grpc.health.v1.Health/Check';
  expect(await returnedId(check, { 'x-request-id': 'fine' })).toBe('fine');
  expect(fixture.debugLogs).toEqual([]);

  const create = '/charge.v1.ChargeService/CreateCharge';
  expect(await returnedId(create, { 'x-request-id': 'invalid' })).toBe('invalid');
  const method = create.slice(1);
  const code = 'INVALID_ARGUMENT';
  await logged({ method, xRequestId: 'invalid', code, reason: 'VALIDATION_FAILED', tenant: 'default' });

  expect(await returnedId('/charge.v1.ChargeService/Nothing', { 'x-request-id': 'nothing' })).toBe('nothing');
  await logged({ method: 'charge.v1.ChargeService/Nothing', xRequestId: 'nothing', code: 'UNIMPLEMENTED' });

  // Refused before grpc-js sees it.
  const compressed = { 'x-request-id': 'early', 'grpc-encoding': 'gzip' };
  expect(await returnedId(create, compressed)).toBe('early');
  await logged({ method, xRequestId: 'early', code: 'UNIMPLEMENTED', reason: 'COMPRESSION_UNSUPPORTED' });
});

test('a stream returns its x-request-id with its headers, and is logged when it ends', async () => {
  const metadata = new Metadata();
  metadata.set('x-request-id', 'watch-1');
  const stream = fixture.client.watchCharges({ startSequence: undefined, filter: undefined }, metadata);
  stream.on('error', () => undefined);
  const headers = await new Promise<Metadata>((resolve) => stream.once('metadata', resolve));
  expect(headers.get('x-request-id')).toEqual(['watch-1']);
  stream.cancel();
  await logged({
    method: 'charge.v1.ChargeService/WatchCharges',
    xRequestId: 'watch-1',
    code: 'CANCELLED',
    tenant: 'default',
  });
});

test('an x-request-id that could not be printed or is too long is ignored', async () => {
  const path = '/charge.v1.ChargeService/CreateCharge';
  expect(await returnedId(path, { 'x-request-id': 'x'.repeat(128) })).toBe('x'.repeat(128));
  expect(await returnedId(path, { 'x-request-id': 'x'.repeat(129) })).toBeUndefined();
  await waitFor('both lines', () => fixture.debugLogs.length === 2);
  expect(fixture.debugLogs[1]).not.toHaveProperty('xRequestId', expect.anything());
});

test('an internal error stands in the log at level error, with the correlation id of the answer', async () => {
  fixture.journal.failures.push(new Error('broken'));
  const metadata = { 'x-request-id': 'caller-1' };
  const failed = await failureOf(call(fixture.client, 'createCharge', chargeRequest('r'), { metadata }));
  const [line = ''] = fixture.logs;
  expect(line).toContain('error call failed');
  expect(line).toContain(`"correlationId":"${failed.metadata['correlation_id']}"`);
  expect(line).toContain('"method":"charge.v1.ChargeService/CreateCharge"');
  expect(line).toContain('"xRequestId":"caller-1"');
  expect(fixture.logs).toHaveLength(1);
});

test('what clients do wrong makes no line above level debug', async () => {
  for (let i = 0; i < 20; i++) await failureOf(call(fixture.client, 'createCharge', chargeRequest('')));
  await logged({ reason: 'VALIDATION_FAILED' });
  expect(fixture.debugLogs).toHaveLength(20);
  expect(fixture.logs).toEqual([]);
});
