/**
 * What hostile clients do, in small sizes. During each attack a well-behaved client is served, and what
 * the server counts stays within its limits. Afterwards nothing is left of the attack.
 */

import { once } from 'node:events';
import type { ClientHttp2Session } from 'node:http2';
import { gzipSync } from 'node:zlib';

import { status as Code } from '@grpc/grpc-js';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';

import {
  CreateChargeRequest,
  ListChargesRequest,
  type RecordChargesResponse,
  RecordChargesRequest,
  WatchChargesRequest,
} from '../../../generated/charge/v1/charge_service.ts';
import { RecordWindow } from '../../../src/charges/rpc/record-window.ts';
import type { RpcLimits } from '../../../src/grpc/limits.ts';
import type { TestTls } from '../../support/server.ts';
import { waitFor } from '../../support/wait-for.ts';
import {
  callHeaders,
  CONTINUATION,
  DATA,
  END_HEADERS,
  END_STREAM,
  FrameConnection,
  GOAWAY,
  HEADERS,
  http2Frame,
  NONE,
  RST_STREAM,
  SETTINGS,
  uint32,
  WINDOW_UPDATE,
} from './frames.ts';
import { connectRaw, frame, open, request } from './raw.ts';
import { call, chargeRequest, type Fixture, startServer } from './server.ts';

const LIMITS = {
  inFlightCallsMax: 50,
  streamsMax: 20,
  requestBytesMax: 256 * 1024,
  responseBytesMax: 1024 * 1024,
  requestArrivalMaxMs: 500,
  connectionsMax: 50,
  connectionStreamsMax: 100,
} satisfies Partial<RpcLimits>;
const RECORD_BYTES_MAX = 128 * 1024;
const CANCEL = 8;

let fixture: Fixture;
let recordWindow: RecordWindow;
let connections: FrameConnection[];
let sessions: ClientHttp2Session[];
let tls: TestTls | undefined;

/** Declares a test for each attack. Over TLS with what `openTls` resolves to, which is called once. */
export function testAttacks(openTls: () => Promise<TestTls | undefined>): void {
  beforeAll(async () => {
    tls = await openTls();
  });
  beforeEach(async () => {
    recordWindow = new RecordWindow(RECORD_BYTES_MAX, RECORD_BYTES_MAX / 4);
    fixture = await startServer(LIMITS, { recordWindow, tls });
    connections = [];
    sessions = [];
    await call(fixture.client, 'createCharge', chargeRequest('probe'));
  });
  afterEach(async () => {
    for (const { socket } of connections) socket.destroy();
    for (const session of sessions) session.destroy();
    const { server, logs } = fixture;
    await waitFor('everything to be released', () => {
      const { connections: open, ...counted } = server.load;
      return open === 1 && recordWindow.bytes === 0 && Object.values(counted).every((count) => count === 0);
    });
    // No attack may fill the log.
    expect(logs).toEqual([]);
    await fixture.close();
  });

  describe('streams that are opened and broken', () => {
    test('rapid reset: complete requests that are reset at once', async () => {
      const attacker = connect();
      await servedDuring(async () => {
        for (const stream of streamIds(1000)) {
          const data = http2Frame(DATA, END_STREAM, stream, frame(encode(`r-${stream}`)));
          attacker.send(headersFrame(stream), data, reset(stream));
        }
        // Nobody cancels two hundred calls at once.
        await attacker.closed;
      });
      expect(fixture.journal.groups.length).toBeLessThan(600);
    });

    test.each<[string, (stream: number) => Buffer[]]>([
      ['a window update of 0', (stream) => [http2Frame(WINDOW_UPDATE, NONE, stream, uint32(0))]],
      ['a window that overflows', (stream) => [http2Frame(WINDOW_UPDATE, NONE, stream, uint32(2 ** 31 - 1))]],
      [
        'data after the end',
        (stream) => [
          http2Frame(DATA, END_STREAM, stream, frame(encode(`r-${stream}`))),
          http2Frame(DATA, NONE, stream, Buffer.alloc(10)),
        ],
      ],
      ['headers in the middle', (stream) => [headersFrame(stream)]],
    ])('MadeYouReset: the server has to reset streams because of %s', async (_name, breaking) => {
      await servedDuring(async () => {
        for (let i = 0; i < 3; i++) {
          const attacker = connect();
          const streams = streamIds(400);
          for (const stream of streams) attacker.send(headersFrame(stream), ...breaking(stream));
          await waitFor(
            'the resets',
            () => attacker.socket.destroyed || attacker.received(RST_STREAM) >= 100,
          );
        }
      });
    });

    test.each<[string, Buffer]>([
      ['an unknown path', callHeaders('CreateCharge', { ':path': '/no.such/Method' })],
      ['a content type that is not gRPC', callHeaders('CreateCharge', { 'content-type': 'text/html' })],
      ['a compressed request', callHeaders('CreateCharge', { 'grpc-encoding': 'gzip' })],
      ['a timeout that is none', callHeaders('CreateCharge', { 'grpc-timeout': 'soon' })],
      ['a valid call', callHeaders('CreateCharge')],
      ['a stream of charges', callHeaders('RecordCharges')],
      ['a watch', callHeaders('WatchCharges')],
    ])('%s that is reset in the packet in which it begins', async (_name, headers) => {
      await servedDuring(async () => {
        for (let i = 0; i < 5; i++) {
          const attacker = connect();
          attacker.send(...streamIds(20).flatMap((stream) => [headersFrame(stream, headers), reset(stream)]));
          // And once each in a packet of its own.
          for (const stream of [101, 103, 105]) attacker.send(headersFrame(stream, headers), reset(stream));
          const last = [headersFrame(107), http2Frame(DATA, END_STREAM, 107, frame(encode(`last-${i}`)))];
          attacker.send(...last);
          await waitFor('the answer to the call after them', () => attacker.received(HEADERS) >= 2);
        }
      });
      expect(fixture.journal.entries.length).toBe(1 + 5);
    });

    test('a connection that is reset in the middle of a response', async () => {
      await fill();
      await servedDuring(async () => {
        for (let i = 0; i < 10; i++) {
          const attacker = connect();
          const page = Buffer.from([0x10, 0xe8, 0x07]);
          attacker.send(
            ...streamIds(3).flatMap((stream) => [
              headersFrame(stream, callHeaders('ListCharges')),
              http2Frame(DATA, END_STREAM, stream, frame(page)),
            ]),
          );
          await waitFor('a part of a response', () => attacker.received(DATA) > 0);
          attacker.reset();
        }
      });
    });
  });

  describe('headers', () => {
    test('CONTINUATION flood', async () => {
      const attacker = connect();
      await servedDuring(async () => {
        attacker.send(headersFrame(1, callHeaders('CreateCharge'), NONE));
        for (let i = 0; i < 1000; i++) attacker.send(http2Frame(CONTINUATION, NONE, 1, Buffer.alloc(1)));
        await attacker.closed;
      });
    });

    const many = callHeaders(
      'CreateCharge',
      Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`x-${i}`, 'x'])),
    );
    const large = callHeaders('CreateCharge', {
      'x-large': 'x'.repeat(15_000),
      'y-large': 'y'.repeat(15_000),
    });
    test.each<[string, Buffer, boolean]>([
      ['too many headers', many, true],
      ['too many headers of a client that does not acknowledge the settings', many, false],
      ['too large headers', large, true],
      ['too large headers of a client that does not acknowledge the settings', large, false],
    ])('%s are refused before the call costs anything', async (_name, block, acknowledges) => {
      await servedDuring(async () => {
        for (let i = 0; i < 5; i++) {
          const attacker = connect(acknowledges);
          await waitFor('the settings', () => attacker.received(SETTINGS) > 0);
          for (const stream of streamIds(20)) {
            attacker.send(
              headersFrame(stream, block.subarray(0, 16_000), NONE),
              http2Frame(CONTINUATION, END_HEADERS, stream, block.subarray(16_000)),
              http2Frame(DATA, END_STREAM, stream, frame(encode(`r-${stream}`))),
            );
          }
          await waitFor(
            'an answer to each',
            () =>
              attacker.socket.destroyed ||
              attacker.received(GOAWAY) > 0 ||
              attacker.received(RST_STREAM) + attacker.received(HEADERS) >= 20,
          );
        }
      });
      expect(fixture.journal.entries).toHaveLength(1);
    });
  });

  describe('requests that do not arrive', () => {
    test('half-sent messages on many streams are refused beyond the limit, and ended in time', async () => {
      await servedDuring(async () => {
        const part = Buffer.from(frame(Buffer.alloc(16_000), 0, 900_000));
        const attackers = Array.from({ length: 5 }, () => connect());
        for (const attacker of attackers) {
          for (const stream of streamIds(4)) {
            attacker.send(headersFrame(stream), http2Frame(DATA, NONE, stream, part));
          }
        }
        await waitFor('bytes that wait', () => fixture.server.load.requestBytes > LIMITS.requestBytesMax / 2);
        await waitFor('the end of all', () => fixture.server.load.requestBytes === 0);
        await waitFor('an answer to each', () =>
          attackers.every((attacker) => attacker.received(HEADERS) === 4),
        );
      });
      expect(fixture.journal.entries).toHaveLength(1);
    });

    test('messages in frames of one byte cost the client its call, not the server its memory', async () => {
      await servedDuring(async () => {
        const attackers = Array.from({ length: 3 }, () => connect());
        for (const attacker of attackers) {
          for (const stream of streamIds(20)) {
            attacker.send(headersFrame(stream), http2Frame(DATA, NONE, stream, Buffer.from([0, 0, 1, 0, 0])));
            const byte = http2Frame(DATA, NONE, stream, Buffer.alloc(1));
            attacker.send(...new Array<Buffer>(500).fill(byte));
          }
        }
        await waitFor('an answer to each', () =>
          attackers.every((attacker) => attacker.received(HEADERS) === 20),
        );
      });
      expect(fixture.journal.entries).toHaveLength(1);
    });

    test('streams without any message are ended in time', async () => {
      await servedDuring(async () => {
        const attacker = connect();
        attacker.send(...streamIds(100).map((stream) => headersFrame(stream)));
        await waitFor('an answer to each', () => attacker.received(HEADERS) === 100);
      });
    });
  });

  describe('clients that never read', () => {
    test('ListCharges', async () => {
      await fill();
      await servedDuring(async () => {
        const page = frame(Buffer.from([0x10, 0xe8, 0x07]));
        const asked = Array.from({ length: 10 }, connectNonReader).flatMap((session) =>
          Array.from({ length: 4 }, () => {
            const stream = open(session, 'ListCharges');
            stream.end(page);
            return once(stream, 'response');
          }),
        );
        const answers = (await Promise.all(asked)).map(([headers]) => headers as Record<string, unknown>);
        expect(answers.some((headers) => headers['grpc-status'] === String(Code.RESOURCE_EXHAUSTED))).toBe(
          true,
        );
      });
      // Who reads gets a page, even though so much is unread.
      expect(fixture.server.load.responseBytes).toBeGreaterThan(0);
      const { charges } = await call(fixture.client, 'listCharges', ListChargesRequest.fromPartial({}));
      expect(charges).toHaveLength(100);
    });

    test('WatchCharges', async () => {
      await fill();
      await servedDuring(async () => {
        const start = frame(WatchChargesRequest.encode({ startSequence: 1n, filter: undefined }).finish());
        const session = connectNonReader();
        for (let i = 0; i < 10; i++) open(session, 'WatchCharges').end(start);
        await waitFor('every watch to read', () => fixture.journal.journalReads.length >= 10);
        // What is written meanwhile is not read for those who do not read what they have.
        for (let i = 0; i < 50; i++) await call(fixture.client, 'createCharge', chargeRequest(`later-${i}`));
      });
      // Reading everything would take each of the ten watches more than ten reads.
      expect(fixture.journal.journalReads.length).toBeLessThanOrEqual(50);
      // A watch whose client reads gets everything.
      const watch = fixture.client.watchCharges({ startSequence: 1n, filter: undefined });
      watch.on('error', () => {});
      let events = 0;
      watch.on('data', () => events++);
      await waitFor('every charge', () => events === fixture.journal.entries.length);
      watch.cancel();
    });

    test('RecordCharges', async () => {
      await servedDuring(async () => {
        const session = connectNonReader();
        for (let i = 0; i < 5; i++) {
          const items = Array.from({ length: 1000 }, (_, j) =>
            frame(RecordChargesRequest.encode({ request: chargeRequest(`unread-${i}-${j}`) }).finish()),
          );
          open(session, 'RecordCharges').write(Buffer.concat(items));
        }
        await waitFor('the first charges', () => fixture.journal.entries.length > 5);
        // A stream whose client reads gets all of its answers meanwhile.
        const record = fixture.client.recordCharges();
        const answers: RecordChargesResponse[] = [];
        record.on('data', (answer: RecordChargesResponse) => answers.push(answer));
        for (let i = 0; i < 1000; i++) record.write({ request: chargeRequest(`read-${i}`) });
        record.end();
        await once(record, 'end');
        expect(answers).toHaveLength(1000);
        expect(recordWindow.bytes).toBeLessThanOrEqual(RECORD_BYTES_MAX + 5 * 1024);
      });
      // The others were stopped long before the end.
      expect(fixture.received()).toBeLessThan(1000 + 5 * 1000);
    });
  });

  test('more connections than allowed are closed at once, and those that are open go on', async () => {
    await servedDuring(async () => {
      const attackers = Array.from({ length: 3 * LIMITS.connectionsMax }, () => connect());
      let closed = 0;
      for (const attacker of attackers) void attacker.closed.then(() => closed++);
      // One belongs to the well-behaved client.
      await waitFor('the surplus to be closed', () => closed === 2 * LIMITS.connectionsMax + 1);
      expect(fixture.server.load.connections).toBe(LIMITS.connectionsMax);
    });
    for (const { socket } of connections) socket.destroy();
    await waitFor('room', () => fixture.server.load.connections === 1);
    const client = fixture.newClient();
    await call(client, 'createCharge', chargeRequest('afterwards'));
    client.close();
  });

  test('compressed requests are refused before they are inflated', async () => {
    const bomb = frame(gzipSync(Buffer.alloc(16 * 1024 * 1024)), 1);
    await servedDuring(async () => {
      const session = connectRaw(fixture.address, { ca: tls?.ca });
      sessions.push(session);
      for (const headers of [{ 'grpc-encoding': 'gzip' }, { 'grpc-encoding': 'deflate' }, {}]) {
        for (const method of ['CreateCharge', 'BatchCreateCharges', 'RecordCharges', 'ListCharges']) {
          const { grpcStatus } = await request(session, method, bomb, headers);
          expect([method, headers, grpcStatus]).toEqual([method, headers, Code.UNIMPLEMENTED]);
        }
      }
    });
  });
}

function connect(acknowledges = true): FrameConnection {
  const connection = new FrameConnection(fixture.port, acknowledges, tls?.ca);
  connections.push(connection);
  return connection;
}

/** A connection that reads nothing of any response. */
function connectNonReader(): ClientHttp2Session {
  const session = connectRaw(fixture.address, { ca: tls?.ca, settings: { initialWindowSize: 0 } });
  sessions.push(session);
  return session;
}

/** Attacks, and calls the server all the time until the attack is over; every such call must succeed. */
async function servedDuring(attack: () => Promise<void>): Promise<void> {
  let over = false;
  const attacked = attack().finally(() => (over = true));
  let served = 0;
  while (!over || served < 5) {
    await probe();
    served++;
  }
  await attacked;
}

async function probe(): Promise<void> {
  const key = { $case: 'requestId', value: 'probe' } as const;
  await call(fixture.client, 'getCharge', { key }, { deadline: Date.now() + 10_000 });
  const { callsInFlight, requestBytes, responseBytes, recordStreams, watchStreams } = fixture.server.load;
  expect(callsInFlight).toBeLessThanOrEqual(LIMITS.inFlightCallsMax);
  expect(requestBytes).toBeLessThanOrEqual(LIMITS.requestBytesMax);
  // A connection that has read everything gets its page even then, up to three times the limit.
  expect(responseBytes).toBeLessThanOrEqual(4 * LIMITS.responseBytesMax);
  expect(recordStreams + watchStreams).toBeLessThanOrEqual(LIMITS.streamsMax);
}

const encode = (id: string): Uint8Array => CreateChargeRequest.encode(chargeRequest(id)).finish();
/** The ids of streams that a client opens. */
const streamIds = (count: number): number[] => Array.from({ length: count }, (_, i) => 2 * i + 1);
const headersFrame = (stream: number, block = callHeaders('CreateCharge'), flags = END_HEADERS): Buffer =>
  http2Frame(HEADERS, flags, stream, block);
const reset = (stream: number): Buffer => http2Frame(RST_STREAM, NONE, stream, uint32(CANCEL));

/** Enough charges for pages of about 400 KB. */
async function fill(): Promise<void> {
  const requests = Array.from({ length: 500 }, (_, i) =>
    chargeRequest(`fill-${i}`, { reference: 'x'.repeat(255), sessionKey: 's'.repeat(255) }),
  );
  for (const from of [0, 250]) {
    await call(fixture.client, 'batchCreateCharges', { requests: requests.slice(from, from + 250) });
  }
}
