/** RecordCharges: order, grouping, bounded memory, and every way in which a stream ends. */

import { once } from 'node:events';
import { constants } from 'node:http2';

import { type ClientDuplexStream, status } from '@grpc/grpc-js';
import { afterEach, expect, test } from '@jest/globals';

import {
  type CreateChargeRequest,
  Outcome,
  RecordChargesRequest,
  type RecordChargesResponse,
} from '../../../generated/charge/v1/charge_service.ts';
import { databaseUnavailable, ServiceError } from '../../../src/errors/failure.ts';
import { RecordWindow } from '../../../src/charges/rpc/record-window.ts';
import { settled, waitFor } from '../../support/wait-for.ts';
import { connectRaw, frame, open as openRaw } from '../../grpc/support/raw.ts';
import {
  call,
  chargeRequest,
  errorOf,
  type ErrorSummary,
  failureOf,
  type Fixture,
  roundTrip,
  startServer,
  summaryOf,
} from '../../grpc/support/server.ts';

let fixture: Fixture;
/** What all streams of the server have read and not answered. */
let recordWindow: RecordWindow;
afterEach(async () => {
  await fixture.close();
  expect(recordWindow.bytes).toBe(0);
});

async function start(window = new RecordWindow()): Promise<void> {
  recordWindow = window;
  fixture = await startServer({}, { recordWindow });
}

/** What an item takes in the window: its bytes, and what the server keeps besides. */
const ITEM_OVERHEAD_BYTES = 256;
const windowBytes = (request: CreateChargeRequest): number =>
  RecordChargesRequest.encode({ request }).finish().length + ITEM_OVERHEAD_BYTES;

/** A stream with what came back on it. */
interface Recording {
  readonly stream: ClientDuplexStream<RecordChargesRequest, RecordChargesResponse>;
  readonly responses: RecordChargesResponse[];
  /** Resolves with the error, or with undefined for OK. */
  readonly ended: Promise<ErrorSummary | undefined>;
  readonly send: (request: CreateChargeRequest | undefined) => void;
}

function open(): Recording {
  const stream = fixture.client.recordCharges();
  const responses: RecordChargesResponse[] = [];
  stream.on('data', (response: RecordChargesResponse) => responses.push(response));
  const ended = new Promise<ErrorSummary | undefined>((resolve) => {
    stream.on('error', (error) => resolve(errorOf(error)));
    stream.on('end', () => resolve(undefined));
  });
  return { stream, responses, ended, send: (request) => void stream.write({ request }) };
}

const charges = (responses: readonly RecordChargesResponse[]): (string | undefined)[] =>
  responses.map(({ result }) => result?.charge?.userProfile);

test('answers every item in order, refuses bad ones alone, and ends OK', async () => {
  await start();
  const { send, stream, responses, ended } = open();
  send(chargeRequest('r-1'));
  send(chargeRequest('r-2', { userProfile: '' }));
  send(undefined);
  send(chargeRequest('r-1'));
  send(chargeRequest('r-1', { userProfile: 'another' }));
  stream.end();
  expect(await ended).toBeUndefined();
  const outcomes = responses.map(({ result }) => result?.outcome);
  const { OUTCOME_CREATED, OUTCOME_REJECTED, OUTCOME_REPLAYED } = Outcome;
  expect(outcomes).toEqual([
    OUTCOME_CREATED,
    OUTCOME_REJECTED,
    OUTCOME_REJECTED,
    OUTCOME_REPLAYED,
    OUTCOME_REJECTED,
  ]);
  expect(summaryOf(responses[1]?.result?.status).violations[0]?.field).toBe('charge.user_profile');
  expect(summaryOf(responses[4]?.result?.status).reason).toBe('REQUEST_ID_REUSED');
  await waitFor('the stream to be closed', () => fixture.server.load.recordStreams === 0);
  expect(fixture.counts).toContain('RecordCharges 0');
});

test('an item that is too large ends a stream with its reason, after the answers to earlier items', async () => {
  await start();
  const { send, responses, ended } = open();
  send(chargeRequest('r-1'));
  await waitFor('the first answer', () => responses.length === 1);
  send(chargeRequest('r-2'));
  send(chargeRequest('r-3', { reference: 'x'.repeat(1024 * 1024) }));
  expect(await ended).toMatchObject({ code: 'RESOURCE_EXHAUSTED', reason: 'MESSAGE_TOO_LARGE' });
  expect(charges(responses)).toEqual(['user-1', 'user-1']);
});

test('too many bytes of requests refuse calls and end no open stream', async () => {
  recordWindow = new RecordWindow();
  fixture = await startServer({ requestBytesMax: 20_000 }, { recordWindow });
  const { journal, client } = fixture;
  const { send, stream, responses, ended } = open();
  send(chargeRequest('r-1'));
  await waitFor('the first answer', () => responses.length === 1);
  journal.hold();
  const large = { reference: 'x'.repeat(255), model: 'm'.repeat(255) };
  const requests = Array.from({ length: 25 }, (_, i) => chargeRequest(`batch-${i}`, large));
  const batch = call(client, 'batchCreateCharges', { requests });
  await waitFor('the batch', () => journal.heldGroups === 1);
  expect((await failureOf(call(client, 'batchCreateCharges', { requests }))).reason).toBe('OVERLOADED');
  for (let i = 2; i <= 100; i++) send(chargeRequest(`r-${i}`, { reference: 'x'.repeat(250) }));
  stream.end();
  journal.release();
  expect(await ended).toBeUndefined();
  expect(responses).toHaveLength(100);
  await batch;
});

test('an empty stream ends OK', async () => {
  await start();
  const { stream, ended } = open();
  stream.end();
  expect(await ended).toBeUndefined();
});

test('items that arrive together are recorded together, and chunks are answered in order', async () => {
  await start();
  const { journal } = fixture;
  const { send, stream, responses, ended } = open();
  journal.hold();
  const names = Array.from({ length: 300 }, (_, i) => `user-${i}`);
  for (const name of names) send(chargeRequest(name, { userProfile: name }));
  await waitFor('every item', () => fixture.received() === 300);
  // Several chunks are with the recorder at once, and never more than four.
  expect(journal.heldGroups).toBe(4);
  stream.end();
  journal.release('reversed');
  expect(await ended).toBeUndefined();
  expect(charges(responses)).toEqual(names);
  expect(journal.groups).toHaveLength(5);
});

test('reads no more than the window while nothing is answered', async () => {
  await start(new RecordWindow(undefined, 50 * windowBytes(chargeRequest('r-1000'))));
  const { journal } = fixture;
  const { send, stream, responses, ended } = open();
  journal.hold();
  for (let i = 1000; i < 3000; i++) send(chargeRequest(`r-${i}`));
  stream.end();
  await waitFor('the window', () => fixture.received() > 0);
  // A pause takes effect after the item that is being delivered.
  const mostRead = 50 + 1;
  expect(
    await settled(
      () => fixture.received(),
      () => roundTrip(fixture.client),
    ),
  ).toBeLessThanOrEqual(mostRead);
  journal.release();
  expect(await ended).toBeUndefined();
  expect(responses).toHaveLength(2000);
  expect(journal.entries).toHaveLength(2000);
});

test('if the caller reads no answers, the server stops reading too', async () => {
  await start(new RecordWindow(undefined, 100_000));
  const { journal } = fixture;
  const stream = fixture.client.recordCharges();
  const long = 'x'.repeat(255);
  const total = 2_000;
  for (let i = 0; i < total; i++)
    stream.write({ request: chargeRequest(`r-${i}`, { reference: long, model: long }) });
  stream.end();
  // The client of grpc-js takes everything in until it is read from once.
  stream.once('data', () => stream.pause());
  await waitFor('the first charges', () => journal.entries.length > 0);
  const recorded = await settled(
    () => journal.entries.length,
    () => roundTrip(fixture.client),
  );
  // The transport's windows hold some hundred answers of 600 bytes; the rest was never read.
  expect(recorded).toBeLessThan(total / 4);
  const responses: RecordChargesResponse[] = [];
  stream.on('data', (response: RecordChargesResponse) => responses.push(response));
  stream.resume();
  await waitFor('every other answer', () => responses.length === total - 1);
  expect(journal.entries).toHaveLength(total);
});

test('a rejected item takes room in the window for its rejection, too', async () => {
  await start();
  fixture.journal.hold();
  const { send } = open();
  const [valid, invalid] = [chargeRequest('r-1'), chargeRequest('r-2', { userProfile: '' })];
  send(valid);
  await waitFor('the valid item', () => fixture.journal.heldGroups === 1);
  expect(recordWindow.bytes).toBe(windowBytes(valid));
  send(invalid);
  await waitFor('the other item', () => fixture.received() === 2);
  expect(recordWindow.bytes).toBe(windowBytes(valid) + windowBytes(invalid) + 4096);
});

test('a malformed item ends the stream after everything before it was answered', async () => {
  await start();
  const { journal, client } = fixture;
  const same = (bytes: Buffer): Buffer => bytes;
  const stream = client.makeBidiStreamRequest('/charge.v1.ChargeService/RecordCharges', same, same);
  const answers: Buffer[] = [];
  stream.on('data', (answer: Buffer) => answers.push(answer));
  const ended = new Promise((resolve) => stream.on('error', resolve));
  journal.hold();
  const item = Buffer.from(RecordChargesRequest.encode({ request: chargeRequest('r-1') }).finish());
  stream.write(item);
  stream.write(Buffer.from([0x0a, 0x05]));
  stream.write(item);
  await waitFor('the group', () => journal.heldGroups === 1);
  journal.release();
  expect(errorOf(await ended)).toMatchObject({ code: 'INVALID_ARGUMENT', reason: 'MALFORMED_MESSAGE' });
  expect(answers).toHaveLength(1);
});

test('an oversize item ends the stream', async () => {
  await start();
  const { send, ended } = open();
  send(chargeRequest('r-1', { userProfile: 'x'.repeat(1024 * 1024) }));
  expect(await ended).toMatchObject({ code: 'RESOURCE_EXHAUSTED', reason: 'MESSAGE_TOO_LARGE' });
});

test('a failing database ends the stream, after the answers before it', async () => {
  await start();
  const { journal } = fixture;
  const { send, responses, ended } = open();
  send(chargeRequest('r-1'));
  await waitFor('the first answer', () => responses.length === 1);
  journal.failures.push(new ServiceError(databaseUnavailable(1, 'maybe')));
  send(chargeRequest('r-2'));
  expect(await ended).toMatchObject({ code: 'UNAVAILABLE', reason: 'DATABASE_UNAVAILABLE' });
  expect(responses).toHaveLength(1);
  await waitFor('the stream to be closed', () => fixture.server.load.recordStreams === 0);
  expect(recordWindow.bytes).toBe(0);
});

test('an internal error ends the stream with its correlation id', async () => {
  await start();
  fixture.journal.failures.push(new Error('broken'));
  const { send, ended } = open();
  send(chargeRequest('r-1'));
  expect(await ended).toMatchObject({ code: 'INTERNAL', reason: 'INTERNAL' });
  expect(fixture.logs).toHaveLength(1);
});

test('a deadline ends the stream, and nothing keeps what is answered after it', async () => {
  await start();
  const { journal, server } = fixture;
  const stream = fixture.client.recordCharges({ deadline: Date.now() + 400 });
  const responses: RecordChargesResponse[] = [];
  stream.on('data', (response: RecordChargesResponse) => responses.push(response));
  const ended = new Promise((resolve) => stream.on('error', resolve));
  stream.write({ request: chargeRequest('r-1') });
  await waitFor('the first answer', () => responses.length === 1);
  journal.hold();
  stream.write({ request: chargeRequest('r-2') });
  await waitFor('the group', () => journal.heldGroups === 1);
  expect(errorOf(await ended).code).toBe('DEADLINE_EXCEEDED');
  await waitFor('the signal', () => journal.signals[1]?.aborted);
  journal.release();
  await waitFor('the stream to be closed', () => server.load.recordStreams === 0);
  expect(recordWindow.bytes).toBe(0);
  expect(responses).toHaveLength(1);
});

test('a deadline that passes while answers wait for their reader ends the stream, and keeps nothing of it', async () => {
  await start();
  const { journal, server } = fixture;
  const session = connectRaw(fixture.address);
  journal.hold();
  const timeout = { 'grpc-timeout': '1S' };
  const stream = openRaw(session, 'RecordCharges', timeout);
  const ended = once(stream, 'trailers');
  const reference = 'x'.repeat(200);
  const items = (from: number): Buffer =>
    Buffer.concat(
      Array.from({ length: 500 }, (_, i) =>
        frame(
          RecordChargesRequest.encode({ request: chargeRequest(`r-${from + i}`, { reference }) }).finish(),
        ),
      ),
    );
  stream.write(items(0));
  await waitFor('the first half', () => fixture.received() === 500 && journal.heldGroups > 0);
  const half = recordWindow.bytes;
  const groups = journal.heldGroups;
  stream.write(items(500));
  await waitFor('the second half', () => fixture.received() === 1000 && journal.heldGroups > groups);
  // A stream with the same time limit, opened later: when its time is over, so is that of the first.
  const laterSession = connectRaw(fixture.address);
  const later = once(openRaw(laterSession, 'RecordCharges', timeout), 'response');
  // More than HTTP/2 lets a server send to a caller that does not read.
  for (let i = 0; i < groups; i++) journal.releaseOne();
  await waitFor('the first answers', () => recordWindow.bytes <= half * 1.1);
  const [headers] = (await later) as [Record<string, unknown>];
  expect(headers['grpc-status']).toBe(String(status.DEADLINE_EXCEEDED));
  journal.release();
  await waitFor('the other answers', () => recordWindow.bytes === 0);
  let bytes = 0;
  stream.on('data', (chunk: Buffer) => (bytes += chunk.length));
  const [trailers] = (await ended) as [Record<string, unknown>];
  expect(trailers['grpc-status']).toBe(String(status.DEADLINE_EXCEEDED));
  expect(bytes).toBeGreaterThan(65_535);
  await waitFor('the stream to be closed', () => server.load.recordStreams === 0);
  session.destroy();
  laterSession.destroy();
});

test.each(['NGHTTP2_CANCEL', 'NGHTTP2_NO_ERROR', 'NGHTTP2_INTERNAL_ERROR'] as const)(
  'a stream that is reset with %s while answers are being sent does no harm to others',
  async (code) => {
    await start();
    const session = connectRaw(fixture.address);
    const { journal, server } = fixture;
    journal.hold();
    const stream = openRaw(session, 'RecordCharges');
    const items = Array.from({ length: 1000 }, (_, i) =>
      frame(RecordChargesRequest.encode({ request: chargeRequest(`r-${i}`) }).finish()),
    );
    stream.write(Buffer.concat(items));
    await waitFor('every item', () => fixture.received() === 1000);
    // More than the windows of HTTP/2 hold: some are still with the server when the reset arrives.
    journal.release();
    await waitFor('the answers', () => recordWindow.bytes === 0);
    // And requests that nobody will read.
    stream.write(Buffer.concat(items));
    await waitFor('the caller to be slowed down', () => stream.writableLength > 0);
    stream.close(constants[code]);
    await waitFor('the stream to be closed', () => server.load.recordStreams === 0);
    const { send, stream: next, responses, ended } = open();
    send(chargeRequest('r-1'));
    next.end();
    expect(await ended).toBeUndefined();
    expect(responses).toHaveLength(1);
    session.destroy();
  },
);

test('a caller that cancels withdraws what waits, and the stream stays counted until its work is done', async () => {
  await start();
  const { journal, server } = fixture;
  const { send, stream, ended } = open();
  journal.hold();
  send(chargeRequest('r-1'));
  await waitFor('the group', () => journal.heldGroups === 1);
  stream.cancel();
  expect((await ended)?.code).toBe('CANCELLED');
  await waitFor('the signal', () => journal.signals[0]?.aborted);
  expect(server.load.recordStreams).toBe(1);
  expect(recordWindow.bytes).toBe(windowBytes(chargeRequest('r-1')));
  journal.release();
  await waitFor('the stream to be closed', () => server.load.recordStreams === 0);
  expect(recordWindow.bytes).toBe(0);
});
