/** Many RecordCharges streams at once: they are slowed down together, and none is ended for it. */

import type { ClientDuplexStream } from '@grpc/grpc-js';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import pg from 'pg';

import {
  type BatchCreateChargesResponse,
  RecordChargesRequest,
  type RecordChargesResponse,
} from '../../../generated/charge/v1/charge_service.ts';
import type { ChargeRecorder } from '../../../src/charges/ports.ts';
import { RecordWindow } from '../../../src/charges/rpc/record-window.ts';
import { openTestStore, type TestStore } from '../../support/store.ts';
import { settled, waitFor } from '../../support/wait-for.ts';
import {
  call,
  chargeRequest,
  errorOf,
  type ErrorSummary,
  failureOf,
  type Fixture,
  startServer,
} from '../../grpc/support/server.ts';

/** Items of one stream, of all streams, and of the writer's queue. */
const WINDOW = 100;
const ITEMS_MAX = 200;
const QUEUE_MAX = 400;

const requestOf = (name: string): RecordChargesRequest => ({
  request: chargeRequest(name, { userProfile: name }),
});
/** What the smallest item of these tests takes in the window: its bytes and 256 more. */
const ITEM_BYTES = RecordChargesRequest.encode(requestOf('read-0')).finish().length + 256;

let store: TestStore;
let fixture: Fixture;
let recordWindow: RecordWindow;
beforeAll(async () => {
  store = await openTestStore();
});
afterEach(() => fixture.close());
afterAll(() => store.close());

/** A stream that sends `total` items at once, and the user profiles that came back. */
class Recording {
  readonly stream: ClientDuplexStream<RecordChargesRequest, RecordChargesResponse>;
  readonly names: string[];
  readonly answered: (string | undefined)[] = [];
  /** Resolves with the error, or with undefined for OK. */
  readonly ended: Promise<ErrorSummary | undefined>;

  constructor(prefix: string, total: number) {
    this.stream = fixture.client.recordCharges();
    this.stream.on('data', ({ result }: RecordChargesResponse) =>
      this.answered.push(result?.charge?.userProfile),
    );
    this.ended = new Promise((resolve) => {
      this.stream.on('error', (error) => resolve(errorOf(error)));
      this.stream.on('end', () => resolve(undefined));
    });
    this.names = Array.from({ length: total }, (_, i) => `${prefix}-${i}`);
    for (const name of this.names) this.stream.write(requestOf(name));
  }
}

/** What waits in the queue of a writer, and the most that ever did. */
interface Queue {
  readonly charges: number;
  readonly peak: number;
}

/** A server on a real writer with a small queue. */
async function startOnStore(): Promise<Queue> {
  const writer = store.anotherWriter({ queueSizeMax: QUEUE_MAX, groupSizeMax: 50, retryForMs: 30_000 });
  let peak = 0;
  const recorder: ChargeRecorder = {
    record: (tenant, requests, options) => {
      const recorded = writer.record(tenant, requests, options);
      peak = Math.max(peak, writer.queuedCharges);
      return recorded;
    },
  };
  recordWindow = new RecordWindow(ITEMS_MAX * ITEM_BYTES, WINDOW * ITEM_BYTES);
  fixture = await startServer({}, { recorder, recordWindow });
  return {
    get charges() {
      return writer.queuedCharges;
    },
    get peak() {
      return peak;
    },
  };
}

/** Keeps every group from being committed until it is called. */
async function blockDatabase(): Promise<() => Promise<void>> {
  const client = new pg.Client({ connectionString: store.url });
  await client.connect();
  await client.query('BEGIN');
  await client.query('SELECT FROM journal_head FOR UPDATE');
  return () => client.end();
}

test('streams far above the limit wait while the database is blocked, and get every answer in order', async () => {
  const queue = await startOnStore();
  const unblock = await blockDatabase();
  const streams = 30;
  const recordings = Array.from({ length: streams }, (_, i) => new Recording(`many-${i}`, 300));
  const share = Math.floor((ITEMS_MAX * ITEM_BYTES) / streams);
  try {
    await waitFor('the share of each', () => recordWindow.bytes >= streams * share);
  } finally {
    await unblock();
  }
  for (const { stream } of recordings) stream.end();
  for (const { ended, answered, names } of recordings) {
    expect(await ended).toBeUndefined();
    expect(answered).toEqual(names);
  }
  expect(queue.peak).toBeLessThanOrEqual(ITEMS_MAX + streams);
  await waitFor('the streams to be closed', () => fixture.server.load.recordStreams === 0);
  expect(recordWindow.bytes).toBe(0);
});

test('calls that fill the queue are refused themselves and end no stream', async () => {
  const queue = await startOnStore();
  const unblock = await blockDatabase();
  const batch = (prefix: string, size: number): Promise<BatchCreateChargesResponse> =>
    call(fixture.client, 'batchCreateCharges', {
      requests: Array.from({ length: size }, (_, i) => chargeRequest(`${prefix}-${i}`)),
    });
  let recording: Recording;
  let batches: Promise<unknown>[];
  try {
    const taken = ['taken-1', 'taken-2'].map((prefix) => batch(prefix, 50));
    await waitFor('both writers to be busy', () => queue.peak > 0 && queue.charges === 0);
    const waiting = Array.from({ length: QUEUE_MAX / 40 }, (_, i) => batch(`waiting-${i}`, 40));
    await waitFor('a full queue', () => queue.charges === QUEUE_MAX);
    batches = [...taken, ...waiting];
    recording = new Recording('beside', 300);
    await waitFor('what the stream may have', () => recordWindow.bytes >= WINDOW * ITEM_BYTES);
    await waitFor('its items in the queue', () => queue.charges > QUEUE_MAX);
    const refused = await failureOf(call(fixture.client, 'createCharge', chargeRequest('refused')));
    expect(refused).toMatchObject({ reason: 'OVERLOADED', metadata: { limit: 'write_queue' } });
  } finally {
    await unblock();
  }
  recording.stream.end();
  expect(await recording.ended).toBeUndefined();
  expect(recording.answered).toEqual(recording.names);
  await Promise.all(batches);
  expect(queue.peak).toBeLessThanOrEqual(QUEUE_MAX + WINDOW + 1);
});

test('streams whose callers never read keep nothing that the others need', async () => {
  await startOnStore();
  const long = 'x'.repeat(255);
  const unread = Array.from({ length: 6 }, (_, i) => {
    const stream = fixture.client.recordCharges();
    stream.on('error', () => {});
    // The client of grpc-js takes everything in until it is read from once.
    stream.once('data', () => stream.pause());
    for (let j = 0; j < 1000; j++)
      stream.write({ request: chargeRequest(`unread-${i}-${j}`, { reference: long, model: long }) });
    return stream;
  });
  await waitFor('the first items', () => fixture.received() > 0);
  let others = 0;
  // Recorded after what is in the queue.
  const recordOne = () => call(fixture.client, 'createCharge', chargeRequest(`beside-unread-${others++}`));
  expect(await settled(() => fixture.received(), recordOne)).toBeLessThan(6 * 1000);
  expect(fixture.server.load.recordStreams).toBe(6);
  expect(recordWindow.bytes).toBe(0);
  const recording = new Recording('read', 1000);
  recording.stream.end();
  expect(await recording.ended).toBeUndefined();
  expect(recording.answered).toEqual(recording.names);
  for (const stream of unread) stream.cancel();
});

/** A server on the fake journal, with a window that one stream can fill. */
async function startWithSmallWindow(): Promise<number> {
  const bytesMax = 50 * ITEM_BYTES;
  recordWindow = new RecordWindow(bytesMax, bytesMax);
  fixture = await startServer({}, { recordWindow });
  return bytesMax;
}

test('a stream that is cancelled gives its share to those that wait', async () => {
  const bytesMax = await startWithSmallWindow();
  const { journal, server } = fixture;
  journal.hold();
  const first = new Recording('first', 500);
  await waitFor('the whole window', () => recordWindow.bytes >= bytesMax);
  const second = new Recording('second', 500);
  await waitFor('the second stream', () =>
    journal.groups.flat().some(({ requestId }) => requestId.startsWith('second')),
  );
  first.stream.cancel();
  await waitFor('the cancellation', () => journal.signals[0]?.aborted);
  journal.release();
  journal.hold();
  await waitFor('the first stream to be closed', () => server.load.recordStreams === 1);
  // Alone, it may have all of it again.
  await waitFor('the whole window', () => recordWindow.bytes >= bytesMax);
  journal.release();
  second.stream.end();
  expect(await second.ended).toBeUndefined();
  expect(second.answered).toEqual(second.names);
  expect(recordWindow.bytes).toBe(0);
});

test('streams that wait for room are drained like any other', async () => {
  const bytesMax = await startWithSmallWindow();
  const { journal, server } = fixture;
  journal.hold();
  const recordings = ['first', 'second', 'third'].map((name) => new Recording(name, 500));
  await waitFor('the share of each', () => recordWindow.bytes >= 3 * Math.floor(bytesMax / 3));
  await waitFor('their groups', () => journal.heldGroups >= 3);
  const drained = server.drain(10_000);
  const accepted = fixture.received();
  journal.release();
  await drained;
  let answered = 0;
  for (const recording of recordings) {
    expect(await recording.ended).toMatchObject({ code: 'UNAVAILABLE', reason: 'SHUTTING_DOWN' });
    expect(recording.answered).toEqual(recording.names.slice(0, recording.answered.length));
    answered += recording.answered.length;
  }
  expect(answered).toBe(accepted);
  expect(server.load.recordStreams).toBe(0);
  expect(recordWindow.bytes).toBe(0);
});
