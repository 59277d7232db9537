/** Requests that no gRPC library sends: each has the status that the protocol and the contract give it. */

import type { ClientHttp2Session, OutgoingHttpHeaders } from 'node:http2';
import { once } from 'node:events';
import { gzipSync } from 'node:zlib';

import { status as Code } from '@grpc/grpc-js';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';

import {
  BatchCreateChargesRequest,
  CreateChargeRequest,
  GetChargeRequest,
  ListChargesRequest,
} from '../../generated/charge/v1/charge_service.ts';
import { Status } from '../../generated/google/rpc/status.ts';
import { waitFor } from '../support/wait-for.ts';
import { connectRaw, frame, open, type RawResponse, request, responseOf } from './support/raw.ts';
import { chargeRequest, type Fixture, startServer, summaryOf } from './support/server.ts';

let fixture: Fixture;
let session: ClientHttp2Session;
beforeAll(async () => {
  fixture = await startServer();
  session = connectRaw(fixture.address);
  await request(session, 'CreateCharge', framed);
});
afterAll(async () => {
  session.destroy();
  await waitFor('every byte to be released', () => fixture.server.load.requestBytes === 0);
  expect(fixture.server.load.callsInFlight).toBe(0);
  expect(fixture.logs).toEqual([]);
  await fixture.close();
});

const MIB = 1024 * 1024;
const bytesOf = (message: CreateChargeRequest): Buffer =>
  Buffer.from(CreateChargeRequest.encode(message).finish());
const valid = bytesOf(chargeRequest('r-1'));
const framed = frame(valid);
const batch = BatchCreateChargesRequest.encode({
  requests: [chargeRequest('b-1'), chargeRequest('b-2', { model: '' }), chargeRequest('')],
}).finish();
const inParts = (bytes: Buffer, size: number): Buffer[] =>
  Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) => bytes.subarray(i * size, (i + 1) * size));
const at = (...places: number[]): Buffer[] =>
  [0, ...places].map((place, index) => framed.subarray(place, places[index]));

type Body = Uint8Array | readonly Uint8Array[] | undefined;

/** The reason in the details of a failure, or undefined if the failure comes from the gRPC library. */
function reasonOf({ trailers }: RawResponse): string | undefined {
  const details = trailers['grpc-status-details-bin'];
  if (typeof details !== 'string') return undefined;
  return summaryOf(Status.decode(Buffer.from(details, 'base64'))).reason;
}

test.each<[string, Body, number, string?]>([
  ['in one frame', framed, Code.OK],
  ['byte by byte', inParts(framed, 1), Code.OK],
  ['split inside its prefix', at(3), Code.OK],
  ['split after its prefix', at(5), Code.OK],
  ['split everywhere and with empty frames', [Buffer.alloc(0), ...at(1, 4, 9), Buffer.alloc(0)], Code.OK],
  ['not sent', undefined, Code.UNIMPLEMENTED],
  ['cut off inside its prefix', framed.subarray(0, 4), Code.UNIMPLEMENTED],
  ['cut off after its prefix', framed.subarray(0, 5), Code.UNIMPLEMENTED],
  ['cut off before its last byte', framed.subarray(0, -1), Code.UNIMPLEMENTED],
  ['sent twice', Buffer.concat([framed, framed]), Code.UNIMPLEMENTED],
  ['sent twice in two frames', [framed, framed], Code.UNIMPLEMENTED],
  ['sent twice, in small parts', inParts(Buffer.concat([framed, framed]), 9), Code.UNIMPLEMENTED],
  [
    'in hundreds of frames of one byte',
    inParts(frame(Buffer.alloc(300)), 1),
    Code.RESOURCE_EXHAUSTED,
    'OVERLOADED',
  ],
  ['followed by an empty one', [framed, frame(Buffer.alloc(0))], Code.UNIMPLEMENTED],
  ['followed by three bytes', [framed, Buffer.alloc(3)], Code.OK],
  ['followed by half a message', [framed, framed.subarray(0, 20)], Code.OK],
  ['empty', frame(Buffer.alloc(0)), Code.INVALID_ARGUMENT, 'VALIDATION_FAILED'],
  ['empty, twice', Buffer.alloc(10), Code.UNIMPLEMENTED],
  ['no message of its type', frame(Buffer.from([0x0a, 5, 1])), Code.INVALID_ARGUMENT, 'MALFORMED_MESSAGE'],
  [
    'against the rules',
    frame(bytesOf(chargeRequest('é', { model: '' }))),
    Code.INVALID_ARGUMENT,
    'VALIDATION_FAILED',
  ],
  [
    'used before',
    frame(bytesOf(chargeRequest('r-1', { userProfile: 'ü' }))),
    Code.ALREADY_EXISTS,
    'REQUEST_ID_REUSED',
  ],
  ['a byte too large', frame(Buffer.alloc(MIB + 1)), Code.RESOURCE_EXHAUSTED, 'MESSAGE_TOO_LARGE'],
  ['too large in parts', [frame(Buffer.alloc(1.5 * MIB))], Code.RESOURCE_EXHAUSTED, 'MESSAGE_TOO_LARGE'],
  [
    'larger than any method accepts',
    frame(Buffer.alloc(4 * MIB + 1)),
    Code.RESOURCE_EXHAUSTED,
    'MESSAGE_TOO_LARGE',
  ],
  ['that announces 4 GiB', frame(valid, 0, 0xffffffff), Code.RESOURCE_EXHAUSTED, 'MESSAGE_TOO_LARGE'],
  [
    'large',
    frame(bytesOf(chargeRequest('large', { userProfile: 'x'.repeat(900_000) }))),
    Code.INVALID_ARGUMENT,
    'VALIDATION_FAILED',
  ],
])('a message %s', async (_name, body, ...[code, reason]) => {
  const response = await request(session, 'CreateCharge', body);
  expect([response.grpcStatus, reasonOf(response)]).toEqual([code, reason]);
});

test.each<[string, OutgoingHttpHeaders, number | undefined, string?]>([
  ['application/grpc+proto', { 'content-type': 'application/grpc+proto' }, Code.OK],
  ['application/grpc;charset=x', { 'content-type': 'application/grpc;charset=x' }, Code.OK],
  ['application/grpc+json', { 'content-type': 'application/grpc+json' }, Code.OK],
  ['application/json', { 'content-type': 'application/json' }, undefined],
  ['no te', { te: undefined }, Code.OK],
  ['encoding identity', { 'grpc-encoding': 'identity' }, Code.OK],
  // Even if the message itself is plain: it is refused before it is read.
  ['encoding gzip', { 'grpc-encoding': 'gzip' }, Code.UNIMPLEMENTED, 'COMPRESSION_UNSUPPORTED'],
  ['encoding br', { 'grpc-encoding': 'br' }, Code.UNIMPLEMENTED, 'COMPRESSION_UNSUPPORTED'],
  ['method PUT', { ':method': 'PUT' }, Code.OK],
  ['another path', { ':path': '/charge.v1.ChargeService/Drop' }, Code.UNIMPLEMENTED],
  ['a path with a query', { ':path': '/charge.v1.ChargeService/CreateCharge?x' }, Code.UNIMPLEMENTED],
  ['a path in lower case', { ':path': '/charge.v1.ChargeService/createcharge' }, Code.UNIMPLEMENTED],
  ['a timeout of 5 s', { 'grpc-timeout': '5S' }, Code.OK],
  ['a timeout in microseconds', { 'grpc-timeout': '5000001u' }, Code.OK],
  ['a timeout of 596 h', { 'grpc-timeout': '596H' }, Code.OK],
  ['a timeout of 99999999 h', { 'grpc-timeout': '99999999H' }, Code.OK],
  ['a timeout of 2147483648 ms', { 'grpc-timeout': '2147484S' }, Code.OK],
  ['a timeout inside a word', { 'grpc-timeout': 'in5Sx' }, Code.INVALID_ARGUMENT, 'METADATA_INVALID'],
  ['a timeout of nine digits', { 'grpc-timeout': '100000005S' }, Code.INVALID_ARGUMENT, 'METADATA_INVALID'],
  ['a timeout that is none', { 'grpc-timeout': 'soon' }, Code.INVALID_ARGUMENT, 'METADATA_INVALID'],
  ['a timeout without unit', { 'grpc-timeout': '5' }, Code.INVALID_ARGUMENT, 'METADATA_INVALID'],
  ['a negative timeout', { 'grpc-timeout': '-5S' }, Code.INVALID_ARGUMENT, 'METADATA_INVALID'],
  ['an empty timeout', { 'grpc-timeout': '' }, Code.INVALID_ARGUMENT, 'METADATA_INVALID'],
  ['two timeouts', { 'grpc-timeout': ['5S', '6S'] }, Code.INVALID_ARGUMENT, 'METADATA_INVALID'],
  ['a traceparent', { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' }, Code.OK],
  ['other headers', { 'x-bin': 'AAE', authorization: 'Bearer x' }, Code.OK],
])('headers: %s', async (_name, headers, ...[code, reason]) => {
  const response = await request(session, 'CreateCharge', framed, headers);
  expect([response.grpcStatus, reasonOf(response)]).toEqual([code, reason]);
  expect(response.httpStatus).toBe(code === undefined ? 415 : 200);
});

test.each<[string, Uint8Array, number, string?]>([
  ['BatchCreateCharges', batch, Code.OK],
  ['BatchCreateCharges', Buffer.alloc(0), Code.INVALID_ARGUMENT, 'VALIDATION_FAILED'],
  ['GetCharge', GetChargeRequest.encode({ key: { $case: 'requestId', value: 'r-1' } }).finish(), Code.OK],
  [
    'GetCharge',
    GetChargeRequest.encode({ key: { $case: 'requestId', value: 'none' } }).finish(),
    Code.NOT_FOUND,
    'CHARGE_NOT_FOUND',
  ],
  ['ListCharges', ListChargesRequest.encode(ListChargesRequest.fromPartial({})).finish(), Code.OK],
  [
    'ListCharges',
    ListChargesRequest.encode(ListChargesRequest.fromPartial({ pageToken: 'x' })).finish(),
    Code.INVALID_ARGUMENT,
    'PAGE_TOKEN_INVALID',
  ],
])('%s %#', async (method, message, ...[code, reason]) => {
  const response = await request(session, method, frame(message));
  expect([response.grpcStatus, reasonOf(response)]).toEqual([code, reason]);
});

test.each([undefined, 'identity'])('a message marked as compressed, encoding %s', async (encoding) => {
  const headers = encoding === undefined ? {} : { 'grpc-encoding': encoding };
  for (const payload of [valid, gzipSync(valid)]) {
    const response = await request(session, 'CreateCharge', frame(payload, 1), headers);
    expect([response.grpcStatus, reasonOf(response)]).toEqual([
      Code.UNIMPLEMENTED,
      'COMPRESSION_UNSUPPORTED',
    ]);
  }
});

test('a refusal of compressed requests says which encodings are accepted', async () => {
  const { trailers } = await request(session, 'CreateCharge', frame(gzipSync(valid), 1), {
    'grpc-encoding': 'gzip',
  });
  expect(trailers['grpc-accept-encoding']).toBe('identity');
});

test('a request that ends with trailers', async () => {
  const stream = session.request(
    {
      ':method': 'POST',
      ':path': '/charge.v1.ChargeService/CreateCharge',
      'content-type': 'application/grpc',
    },
    { waitForTrailers: true },
  );
  stream.on('wantTrailers', () => stream.sendTrailers({ 'x-end': 'yes' }));
  stream.end(framed);
  expect((await responseOf(stream)).grpcStatus).toBe(Code.OK);
});

test('a message that is too large is refused before it has arrived', async () => {
  const stream = open(session, 'CreateCharge');
  const response = responseOf(stream);
  stream.write(frame(Buffer.alloc(10), 0, MIB + 1));
  await once(stream, 'response');
  expect((await response).grpcStatus).toBe(Code.RESOURCE_EXHAUSTED);
});

test('any messages in any parts have the status of what they are together', async () => {
  const message = fc.tuple(fc.uint8Array({ maxLength: 8 }), fc.nat({ max: 12 })).map(([payload, length]) => {
    // Every third one is as long as it says.
    return length % 3 === 0 ? frame(payload) : frame(payload, 0, length);
  });
  const body = fc
    .tuple(fc.array(message, { maxLength: 3 }), fc.array(fc.nat({ max: 40 }), { maxLength: 4 }))
    .map(([messages, places]) => {
      const whole = Buffer.concat(messages);
      const sorted = [0, ...places.sort((a, b) => a - b)];
      return sorted.map((place, index) => whole.subarray(place, sorted[index + 1]));
    });
  await fc.assert(
    fc.asyncProperty(body, async (parts) => {
      const whole = Buffer.concat(parts);
      // Those have tests above. The zeros complete a prefix that is cut off.
      fc.pre(
        prefixesOf(Buffer.concat([whole, Buffer.alloc(4)])).every(
          ({ flag, size }) => flag === 0 && size <= MIB,
        ),
      );
      const [parted, inOne] = await Promise.all(
        [parts, whole].map((sent) => request(session, 'CreateCharge', sent)),
      );
      const complete = prefixesOf(whole).filter(({ end }) => end <= whole.length).length;
      // None of these few bytes is a valid charge.
      expect(inOne?.grpcStatus).toBe(complete === 1 ? Code.INVALID_ARGUMENT : Code.UNIMPLEMENTED);
      expect(parted?.grpcStatus).toBe(inOne?.grpcStatus);
      expect(parted?.trailers['grpc-status-details-bin']).toEqual(inOne?.trailers['grpc-status-details-bin']);
    }),
    { numRuns: 300 },
  );
});

interface Prefix {
  readonly flag: number;
  readonly size: number;
  /** Where its message ends. */
  readonly end: number;
}

function prefixesOf(bytes: Buffer): Prefix[] {
  const prefixes: Prefix[] = [];
  for (let place = 0; place + 5 <= bytes.length;) {
    const size = bytes.readUInt32BE(place + 1);
    prefixes.push({ flag: bytes[place] ?? 0, size, end: place + 5 + size });
    place += 5 + size;
  }
  return prefixes;
}
