/** The lane beside grpc-js answers as grpc-js does: the same requests to a server with it and to one without. */

import type { OutgoingHttpHeaders } from 'node:http2';
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
import { connectRaw, frame, open, type RawResponse, request, responseOf } from './support/raw.ts';
import { chargeRequest, type Fixture, startServer } from './support/server.ts';

const LANES = [true, false];
let fixtures: Fixture[];
let sessions: ReturnType<typeof connectRaw>[];
beforeAll(async () => {
  fixtures = await Promise.all(LANES.map((lane) => startServer({ batchMessageBytesMax: 2 * MIB }, lane)));
  sessions = fixtures.map(({ address }) => connectRaw(address));
});
afterAll(async () => {
  for (const session of sessions) session.destroy();
  await Promise.all(fixtures.map((fixture) => fixture.close()));
});

const MIB = 1024 * 1024;
const bytesOf = (message: CreateChargeRequest): Buffer =>
  Buffer.from(CreateChargeRequest.encode(message).finish());
const valid = bytesOf(chargeRequest('r-1'));
const framed = frame(valid);
const batch = BatchCreateChargesRequest.encode({
  requests: [chargeRequest('b-1'), chargeRequest('b-2', { model: '' }), chargeRequest('')],
}).finish();
const each = (bytes: Buffer): Buffer[] => [...bytes].map((byte) => Buffer.from([byte]));
const at = (...places: number[]): Buffer[] =>
  [0, ...places].map((place, index) => framed.subarray(place, places[index]));

type Body = Uint8Array | readonly Uint8Array[] | undefined;

/** The same from both, but for what differs from second to second. */
async function fromBoth(
  method: string,
  body: Body,
  headers: OutgoingHttpHeaders = {},
): Promise<RawResponse[]> {
  const responses = await Promise.all(sessions.map((session) => request(session, method, body, headers)));
  return responses.map(withoutDate);
}

function withoutDate(response: RawResponse): RawResponse {
  const { trailers, headers } = response;
  expect('date' in headers).toBe(response.httpStatus !== undefined);
  return { ...response, trailers: { ...trailers, date: '' }, headers: { ...headers, date: '' } };
}

test.each<[string, Body, number]>([
  ['in one frame', framed, Code.OK],
  ['byte by byte', each(framed), Code.OK],
  ['split inside its prefix', at(3), Code.OK],
  ['split behind its prefix', at(5), Code.OK],
  ['split everywhere and with empty frames', [Buffer.alloc(0), ...at(1, 4, 9), Buffer.alloc(0)], Code.OK],
  ['not sent', undefined, Code.UNIMPLEMENTED],
  ['cut off inside its prefix', framed.subarray(0, 4), Code.UNIMPLEMENTED],
  ['cut off behind its prefix', framed.subarray(0, 5), Code.UNIMPLEMENTED],
  ['cut off before its last byte', framed.subarray(0, -1), Code.UNIMPLEMENTED],
  ['sent twice', Buffer.concat([framed, framed]), Code.UNIMPLEMENTED],
  ['sent twice in two frames', [framed, framed], Code.UNIMPLEMENTED],
  ['sent twice, byte by byte', each(Buffer.concat([framed, framed])), Code.UNIMPLEMENTED],
  ['followed by an empty one', [framed, frame(Buffer.alloc(0))], Code.UNIMPLEMENTED],
  ['followed by three bytes', [framed, Buffer.alloc(3)], Code.OK],
  ['followed by half a message', [framed, framed.subarray(0, 20)], Code.OK],
  ['empty', frame(Buffer.alloc(0)), Code.INVALID_ARGUMENT],
  ['empty, twice', Buffer.alloc(10), Code.UNIMPLEMENTED],
  ['no message of its type', frame(Buffer.from([0x0a, 0x05, 0x01])), Code.INVALID_ARGUMENT],
  ['against the rules', frame(bytesOf(chargeRequest('é', { model: '' }))), Code.INVALID_ARGUMENT],
  ['used before', frame(bytesOf(chargeRequest('r-1', { userProfile: 'ü' }))), Code.ALREADY_EXISTS],
  ['a byte too large', frame(Buffer.alloc(MIB + 1)), Code.RESOURCE_EXHAUSTED],
  ['too large in parts', [framed.subarray(0, 0), frame(Buffer.alloc(1.5 * MIB))], Code.RESOURCE_EXHAUSTED],
  [
    'large',
    frame(bytesOf(chargeRequest('large', { userProfile: 'x'.repeat(900_000) }))),
    Code.INVALID_ARGUMENT,
  ],
])('a message %s', async (_name, body, code) => {
  const [lane, grpcJs] = await fromBoth('CreateCharge', body);
  expect(lane).toEqual(grpcJs);
  expect(lane?.grpcStatus).toBe(code);
});

test.each<[string, OutgoingHttpHeaders, number | undefined]>([
  ['application/grpc+proto', { 'content-type': 'application/grpc+proto' }, Code.OK],
  ['application/grpc;charset=x', { 'content-type': 'application/grpc;charset=x' }, Code.OK],
  ['application/grpc+json', { 'content-type': 'application/grpc+json' }, Code.OK],
  ['application/json', { 'content-type': 'application/json' }, undefined],
  ['no te', { te: undefined }, Code.OK],
  ['encoding identity', { 'grpc-encoding': 'identity' }, Code.OK],
  ['encoding gzip for a plain message', { 'grpc-encoding': 'gzip' }, Code.OK],
  ['encoding br', { 'grpc-encoding': 'br' }, Code.OK],
  ['method PUT', { ':method': 'PUT' }, Code.OK],
  ['another path', { ':path': '/charge.v1.ChargeService/Drop' }, Code.UNIMPLEMENTED],
  ['a path with a query', { ':path': '/charge.v1.ChargeService/CreateCharge?x' }, Code.UNIMPLEMENTED],
  ['a path in lower case', { ':path': '/charge.v1.ChargeService/createcharge' }, Code.UNIMPLEMENTED],
  ['a timeout of 5 s', { 'grpc-timeout': '5S' }, Code.OK],
  ['a timeout in microseconds', { 'grpc-timeout': '5000001u' }, Code.OK],
  ['a timeout of 596 h', { 'grpc-timeout': '596H' }, Code.OK],
  ['a timeout of 99999999 h', { 'grpc-timeout': '99999999H' }, Code.OK],
  ['a timeout of 2147483648 ms', { 'grpc-timeout': '2147484S' }, Code.OK],
  ['a timeout inside a word', { 'grpc-timeout': 'in5Sx' }, Code.OK],
  ['a timeout of nine digits', { 'grpc-timeout': '100000005S' }, Code.OK],
  ['a timeout that is none', { 'grpc-timeout': 'soon' }, Code.INTERNAL],
  ['a timeout without unit', { 'grpc-timeout': '5' }, Code.INTERNAL],
  ['a traceparent', { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' }, Code.OK],
  ['other headers', { 'x-bin': 'AAE', authorization: 'Bearer x' }, Code.OK],
])('headers: %s', async (_name, headers, code) => {
  const [lane, grpcJs] = await fromBoth('CreateCharge', framed, headers);
  expect(lane).toEqual(grpcJs);
  expect(lane?.grpcStatus).toBe(code);
});

test.each<[string, Uint8Array, number]>([
  ['BatchCreateCharges', batch, Code.OK],
  ['BatchCreateCharges', Buffer.alloc(0), Code.INVALID_ARGUMENT],
  ['GetCharge', GetChargeRequest.encode({ key: { $case: 'requestId', value: 'r-1' } }).finish(), Code.OK],
  [
    'GetCharge',
    GetChargeRequest.encode({ key: { $case: 'requestId', value: 'none' } }).finish(),
    Code.NOT_FOUND,
  ],
  ['ListCharges', ListChargesRequest.encode(ListChargesRequest.fromPartial({})).finish(), Code.OK],
  ['ListCharges', ListChargesRequest.encode(ListChargesRequest.fromPartial({ pageToken: 'x' })).finish(), 3],
])('%s %#', async (method, message, code) => {
  const [lane, grpcJs] = await fromBoth(method, frame(message));
  expect(lane).toEqual(grpcJs);
  expect(lane?.grpcStatus).toBe(code);
});

test('a request that ends with trailers', async () => {
  const responses = sessions.map((session) => {
    const headers = {
      ':method': 'POST',
      ':path': '/charge.v1.ChargeService/CreateCharge',
      'content-type': 'application/grpc',
    };
    const stream = session.request(headers, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'x-end': 'yes' }));
    stream.end(framed);
    return responseOf(stream);
  });
  const [lane, grpcJs] = (await Promise.all(responses)).map(withoutDate);
  expect(lane).toEqual(grpcJs);
  expect(lane?.grpcStatus).toBe(Code.OK);
});

test('the same for any messages in any parts', async () => {
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
      // For these see below.
      fc.pre(prefixesOf(whole).every(({ flag, size }) => flag === 0 && size <= MIB));
      const [lane, grpcJs] = await fromBoth('CreateCharge', parts);
      expect(lane).toEqual(grpcJs);
    }),
    { numRuns: 300 },
  );
});

function prefixesOf(bytes: Buffer): { readonly flag: number; readonly size: number }[] {
  const prefixes = [];
  for (let place = 0; place + 5 <= bytes.length;) {
    const size = bytes.readUInt32BE(place + 1);
    prefixes.push({ flag: bytes[place] ?? 0, size });
    place += 5 + size;
  }
  return prefixes;
}

// Where the two differ.

test.each(['identity', undefined])('a message marked as compressed, encoding %s', async (encoding) => {
  const headers = encoding === undefined ? {} : { 'grpc-encoding': encoding };
  const [lane, grpcJs] = await fromBoth('CreateCharge', frame(valid, 1), headers);
  // As gRPC wants it; grpc-js takes the bytes as they are.
  expect([lane?.grpcStatus, grpcJs?.grpcStatus]).toEqual([Code.INTERNAL, Code.OK]);
  const [zipped] = await fromBoth('CreateCharge', frame(gzipSync(valid), 1), headers);
  expect(zipped?.grpcStatus).toBe(Code.INTERNAL);
});

test('a message larger than any method takes is refused with our reason', async () => {
  const [lane, grpcJs] = await fromBoth('CreateCharge', frame(valid, 0, 0xffffffff));
  expect([lane?.grpcStatus, grpcJs?.grpcStatus]).toEqual([Code.RESOURCE_EXHAUSTED, Code.RESOURCE_EXHAUSTED]);
  expect(lane?.trailers['grpc-message']).toContain('4294967295%20bytes');
  expect('grpc-status-details-bin' in (lane?.trailers ?? {})).toBe(true);
});

test('a message that is too large is refused before it has arrived', async () => {
  const [session] = sessions;
  if (session === undefined) throw new Error('no session');
  const stream = open(session, 'CreateCharge');
  const response = responseOf(stream);
  stream.write(frame(Buffer.alloc(10), 0, MIB + 1));
  await new Promise((resolve) => stream.once('response', resolve));
  stream.end();
  expect((await response).grpcStatus).toBe(Code.RESOURCE_EXHAUSTED);
});
