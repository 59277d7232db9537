import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import type { ClientDuplexStream, ClientReadableStream, ServiceError } from '@grpc/grpc-js';

import { Provider } from '../../generated/charge/v1/charge.ts';
import {
  type ChargeServiceClient,
  type CreateChargeRequest,
  Outcome,
  type RecordChargesRequest,
  type RecordChargesResponse,
  WatchChargesRequest,
  type WatchChargesResponse,
} from '../../generated/charge/v1/charge_service.ts';
import { ChargeEventReader } from '../../src/charges/store/charge-events.ts';
import {
  call,
  createRequest,
  decodeError,
  type DecodedError,
  decodeStatus,
  openClient,
  openTestServer,
  type TestServer,
} from '../support/server.ts';
import { chargeRequest, openTestStore, type TestStore } from '../support/store.ts';
import { waitFor } from '../support/wait-for.ts';

const TENANT = 'default';
let store: TestStore;
let server: TestServer;

beforeAll(async () => {
  store = await openTestStore();
  server = await openTestServer(store.url);
});
afterAll(async () => {
  await server.close();
  await store.close();
});

class Recorder {
  readonly stream: ClientDuplexStream<RecordChargesRequest, RecordChargesResponse>;
  readonly answers: RecordChargesResponse[] = [];
  ended = false;
  error: DecodedError | undefined;

  constructor(client: ChargeServiceClient) {
    this.stream = client.recordCharges();
    this.stream.on('data', (answer: RecordChargesResponse) => this.answers.push(answer));
    this.stream.on('end', () => (this.ended = true));
    this.stream.on('error', (error: ServiceError) => (this.error = decodeError(error)));
  }

  send(request: CreateChargeRequest): boolean {
    return this.stream.write({ request });
  }
}

class Watcher {
  readonly stream: ClientReadableStream<WatchChargesResponse>;
  readonly sequences: bigint[] = [];
  readonly requestIds = new Set<string>();
  started = false;
  error: DecodedError | undefined;

  constructor(client: ChargeServiceClient, request: Partial<WatchChargesRequest> = {}) {
    this.stream = client.watchCharges(WatchChargesRequest.fromPartial(request));
    this.stream.on('metadata', () => (this.started = true));
    this.stream.on('data', ({ event }: WatchChargesResponse) => {
      if (event?.$case === 'chargeCreated') this.sequences.push(event.value.sequence);
    });
    this.stream.on('error', (error: ServiceError) => (this.error = decodeError(error)));
  }
}

const range = (from: bigint, to: bigint): bigint[] =>
  Array.from({ length: Number(to - from) + 1 }, (_, i) => from + BigInt(i));

async function write(prefix: string, count: number, userProfile = 'alice'): Promise<void> {
  await store.writer.record(
    TENANT,
    Array.from({ length: count }, (_, i) => chargeRequest(`${prefix}-${i}`, { userProfile })),
  );
}

describe('RecordCharges', () => {
  test('answers every item in order, refuses bad ones alone, and ends OK', async () => {
    const recorder = new Recorder(server.client);
    for (let i = 0; i < 3000; i++) {
      recorder.send(i % 100 === 7 ? createRequest(`s-${i}`, { userProfile: '' }) : createRequest(`s-${i}`));
    }
    recorder.send(createRequest('s-0'));
    recorder.send(createRequest('s-0', { model: 'other' }));
    recorder.stream.end();
    await waitFor('the end of the stream', () => recorder.ended);
    expect(recorder.error).toBeUndefined();
    expect(recorder.answers).toHaveLength(3002);
    const outcomes = recorder.answers.map(({ result }) => result?.outcome);
    for (let i = 0; i < 3000; i++) {
      expect(outcomes[i]).toBe(i % 100 === 7 ? Outcome.OUTCOME_REJECTED : Outcome.OUTCOME_CREATED);
    }
    expect(outcomes.slice(3000)).toEqual([Outcome.OUTCOME_REPLAYED, Outcome.OUTCOME_REJECTED]);
    expect(decodeStatus(recorder.answers[3001]?.result?.status).reason).toBe('REQUEST_ID_REUSED');
    const { rows } = await store.owner.pool.query<{ id: string }>(
      `SELECT id FROM charge WHERE request_id IN ('s-0', 's-2999') ORDER BY request_id`,
    );
    expect(rows.map(({ id }) => id)).toEqual(
      [recorder.answers[0], recorder.answers[2999]].map((a) => a?.result?.charge?.id),
    );
  });

  test('keeps what it acknowledged when the caller vanishes in the middle', async () => {
    const client = openClient(server.address);
    const recorder = new Recorder(client);
    for (let i = 0; i < 2000; i++) recorder.send(createRequest(`vanish-${i}`));
    await waitFor('some answers', () => recorder.answers.length > 100);
    recorder.stream.cancel();
    const acknowledged = recorder.answers.map(({ result }) => result?.charge?.id);
    client.close();
    const { rows } = await store.owner.pool.query<{ n: string }>(
      'SELECT count(*) AS n FROM charge WHERE id = ANY ($1::uuid[])',
      [acknowledged],
    );
    expect(Number(rows[0]?.n)).toBe(acknowledged.length);
  });
});

describe('WatchCharges', () => {
  test('reads the journal once to begin with, and once for each commit that it delivers', async () => {
    const read = jest.spyOn(ChargeEventReader.prototype, 'read');
    try {
      const watcher = new Watcher(server.client);
      await waitFor('the headers', () => watcher.started);
      for (let n = 1; n <= 5; n++) {
        await call((done) => server.client.createCharge(createRequest(`read-once-${n}`), done));
        await waitFor('the event', () => watcher.sequences.length === n);
      }
      watcher.stream.cancel();
      expect(read.mock.calls.length).toBeLessThanOrEqual(6);
    } finally {
      read.mockRestore();
    }
  });

  test('delivers history, then what is written, without a gap or a repeat', async () => {
    await write('history', 1200);
    const last = await store.journal.lastSequence(TENANT);
    const watcher = new Watcher(server.client, { startSequence: 1n });
    // Writers of this process and of another one, while the history is still being read.
    const writing = Promise.all(
      Array.from({ length: 20 }, async (_, i) => {
        await write(`live-${i}`, 20);
        await new Promise<void>((resolve, reject) =>
          server.client.createCharge(createRequest(`live-rpc-${i}`), (error) =>
            error ? reject(error) : resolve(),
          ),
        );
      }),
    );
    await writing;
    const end = last + 20n * 21n;
    await waitFor('the whole journal', () => watcher.sequences.at(-1) === end);
    expect(watcher.sequences).toEqual(range(1n, end));
    watcher.stream.cancel();
  });

  test('begins with the next charge when no sequence is given', async () => {
    const before = await store.journal.lastSequence(TENANT);
    const watcher = new Watcher(server.client);
    await waitFor('the headers', () => watcher.started);
    await write('next', 3);
    await waitFor('three events', () => watcher.sequences.length === 3);
    expect(watcher.sequences).toEqual(range(before + 1n, before + 3n));
    watcher.stream.cancel();
  });

  test('filters, and keeps the numbers of the journal', async () => {
    const before = await store.journal.lastSequence(TENANT);
    const filter = {
      userProfile: 'watched',
      provider: Provider.PROVIDER_OPENAI,
    } as WatchChargesRequest['filter'];
    const watcher = new Watcher(server.client, { startSequence: before + 1n, filter });
    await write('others', 5, 'nobody');
    await write('mine', 2, 'watched');
    await waitFor('two events', () => watcher.sequences.length === 2);
    expect(watcher.sequences).toEqual([before + 6n, before + 7n]);
    watcher.stream.cancel();
  });

  test('goes on at any sequence, on another server, after a restart', async () => {
    const second = await openTestServer(store.url);
    const first = new Watcher(second.client, { startSequence: 1n });
    await waitFor('some events', () => first.sequences.length > 100);
    await second.close();
    await waitFor('the end of the watch', () => first.error !== undefined);
    expect(first.error).toMatchObject({ code: 'UNAVAILABLE', reason: 'SHUTTING_DOWN', retryDelay: true });

    const next = (first.sequences.at(-1) ?? 0n) + 1n;
    const end = await store.journal.lastSequence(TENANT);
    const third = await openTestServer(store.url);
    const again = new Watcher(third.client, { startSequence: next });
    await waitFor('the rest', () => again.sequences.at(-1) === end);
    expect([...first.sequences, ...again.sequences]).toEqual(range(1n, end));
    await third.close();
  });

  test('refuses a sequence that the journal has not reached, and takes the next one', async () => {
    const last = await store.journal.lastSequence(TENANT);
    const tooFar = new Watcher(server.client, { startSequence: last + 2n });
    await waitFor('the refusal', () => tooFar.error);
    expect(tooFar.error).toMatchObject({
      code: 'OUT_OF_RANGE',
      reason: 'SEQUENCE_OUT_OF_RANGE',
      metadata: { start_sequence: String(last + 2n), last_sequence: String(last) },
    });
    const next = new Watcher(server.client, { startSequence: last + 1n });
    await waitFor('the headers', () => next.started);
    next.stream.cancel();
    const zero = new Watcher(server.client, { startSequence: 0n });
    await waitFor('the refusal', () => zero.error);
    expect(zero.error?.violations).toEqual([{ field: 'start_sequence', rule: 'int64.gte' }]);
  });
});
