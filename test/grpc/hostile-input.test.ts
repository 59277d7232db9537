/** Input that no client library sends: always a status, never a crash, never work without bound. */

import { constants } from 'node:http2';
import { gzipSync } from 'node:zlib';

import { status as Code } from '@grpc/grpc-js';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { CreateChargeRequest, RecordChargesRequest } from '../../generated/charge/v1/charge_service.ts';
import { waitFor } from '../support/wait-for.ts';
import { connectRaw, frame, request } from './support/raw.ts';
import { call, chargeRequest, type Fixture, startServer } from './support/server.ts';

let fixture: Fixture;
let session: ReturnType<typeof connectRaw>;
beforeEach(async () => {
  fixture = await startServer({ inFlightCallsMax: 20 });
  session = connectRaw(fixture.address);
});
afterEach(async () => {
  session.destroy();
  // Whatever happened before, the server takes calls.
  await call(fixture.client, 'createCharge', chargeRequest('afterwards'));
  await waitFor('every byte to be released', () => fixture.server.load.requestBytes === 0);
  expect(fixture.server.load.callsInFlight).toBe(0);
  await fixture.close();
});

const valid = Buffer.from(CreateChargeRequest.encode(chargeRequest('r-1')).finish());
const bomb = gzipSync(Buffer.alloc(64 * 1024 * 1024));

test.each<[string, Uint8Array | undefined, Record<string, string>, number]>([
  ['a valid call', frame(valid), {}, Code.OK],
  ['a gzipped message', frame(gzipSync(valid), 1), { 'grpc-encoding': 'gzip' }, Code.UNIMPLEMENTED],
  ['garbage instead of gzip', frame(valid, 1), { 'grpc-encoding': 'gzip' }, Code.UNIMPLEMENTED],
  ['a compression bomb', frame(bomb, 1), { 'grpc-encoding': 'gzip' }, Code.UNIMPLEMENTED],
  ['an unknown encoding', frame(valid, 1), { 'grpc-encoding': 'br' }, Code.UNIMPLEMENTED],
  ['a frame that claims 4 GiB', frame(valid, 0, 0xffffffff), {}, Code.RESOURCE_EXHAUSTED],
  ['no message', undefined, {}, Code.UNIMPLEMENTED],
  ['half a frame', frame(valid).subarray(0, 10), {}, Code.UNIMPLEMENTED],
  ['two messages', Buffer.concat([frame(valid), frame(valid)]), {}, Code.UNIMPLEMENTED],
  ['an empty message', frame(Buffer.alloc(0)), {}, Code.INVALID_ARGUMENT],
  ['a timeout that is none', frame(valid), { 'grpc-timeout': 'soon' }, Code.INVALID_ARGUMENT],
  ['a timeout of 99999999 hours', frame(valid), { 'grpc-timeout': '99999999H' }, Code.OK],
  ['a timeout of nothing', frame(valid), { 'grpc-timeout': '0n' }, Code.DEADLINE_EXCEEDED],
])('%s has a status', async (_name, body, headers, code) => {
  // If the recorder answered at once, a call whose time is over at once could succeed before that.
  if (headers['grpc-timeout'] === '0n') fixture.journal.hold();
  const response = await request(session, 'CreateCharge', body, headers);
  expect(response.grpcStatus).toBe(code);
  fixture.journal.release();
  await waitFor('the call to be released', () => fixture.server.load.callsInFlight === 0);
});

test('what is not gRPC is refused by HTTP status', async () => {
  const other = await request(session, 'CreateCharge', valid, { 'content-type': 'application/json' });
  expect(other.httpStatus).toBe(415);
  expect((await request(session, 'DropTable', frame(valid))).grpcStatus).toBe(Code.UNIMPLEMENTED);
});

test('requests that are reset at once never run more work than calls may be in flight', async () => {
  fixture.journal.hold();
  let most = 0;
  for (let i = 0; i < 300; i++) {
    const stream = session.request({
      ':method': 'POST',
      ':path': '/charge.v1.ChargeService/CreateCharge',
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    stream.on('error', () => {});
    stream.end(frame(Buffer.from(CreateChargeRequest.encode(chargeRequest(`r-${i}`)).finish())), () =>
      stream.close(constants.NGHTTP2_CANCEL),
    );
  }
  await waitFor('as many calls as allowed', () => {
    most = Math.max(most, fixture.server.load.callsInFlight);
    return most === 20;
  });
  await waitFor(
    'refusals',
    () => fixture.counts.filter((count) => count === 'refused OVERLOADED').length > 0,
  );
  expect(fixture.journal.groups.length).toBe(20);
  fixture.journal.release();
  await waitFor('the calls to be released', () => fixture.server.load.callsInFlight === 0);
});

test('random bytes always have a status', async () => {
  const methods = fc.constantFrom(
    'CreateCharge',
    'BatchCreateCharges',
    'GetCharge',
    'ListCharges',
    'RecordCharges',
  );
  const mutated = fc.tuple(fc.nat(valid.length - 1), fc.nat(255)).map(([at, byte]) => {
    const bytes = Buffer.from(valid);
    bytes[at] = byte;
    return bytes;
  });
  const payload = fc.oneof(fc.uint8Array({ maxLength: 200 }), mutated, mutated.map(wrapped));
  await fc.assert(
    fc.asyncProperty(methods, payload, async (method, bytes) => {
      const { grpcStatus } = await request(session, method, frame(bytes));
      expect([Code.OK, Code.INVALID_ARGUMENT, Code.NOT_FOUND, Code.ALREADY_EXISTS]).toContain(grpcStatus);
    }),
    { numRuns: 500 },
  );
  expect(fixture.logs).toEqual([]);
});

test('random bytes below the framing never bring the server down', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uint8Array({ maxLength: 300 }),
      fc.constantFrom('identity', 'identity', 'gzip', 'x'),
      async (bytes, encoding) => {
        const { grpcStatus } = await request(session, 'RecordCharges', bytes, { 'grpc-encoding': encoding });
        expect(grpcStatus).toBeDefined();
      },
    ),
    { numRuns: 300 },
  );
});

test('a request that never ends keeps nobody else from being served', async () => {
  const half = session.request({
    ':method': 'POST',
    ':path': '/charge.v1.ChargeService/CreateCharge',
    'content-type': 'application/grpc',
    te: 'trailers',
  });
  half.on('error', () => {});
  half.write(frame(valid).subarray(0, 10));
  expect((await request(session, 'CreateCharge', frame(valid))).grpcStatus).toBe(Code.OK);
  expect(fixture.server.load.callsInFlight).toBe(0);
});

function wrapped(bytes: Buffer): Uint8Array {
  // The same bytes as an item of a batch and of a stream: both keep it in field 1.
  return Buffer.concat([
    RecordChargesRequest.encode({ request: undefined }).finish(),
    Buffer.from([0x0a, bytes.length]),
    bytes,
  ]);
}
