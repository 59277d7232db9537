import { randomUUID } from 'node:crypto';

import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect, nanos } from '@nats-io/transport-node';

import { ChargeCreated } from '../../generated/charge/v1/event.ts';
import type { ChargeEvent } from '../../src/charges/charge-event.ts';
import { JournalPublisher } from '../../src/relay/journal-publisher.ts';
import { openBroker } from '../../src/relay/broker.ts';
import { decodeCommittedEvents, encodeCommittedEvents } from '../../src/relay/committed-events.ts';
import { type EventMessage, eventMessage } from '../../src/relay/event-message.ts';
import { Leadership } from '../../src/relay/leadership.ts';
import { createRelay } from '../../src/relay/open-relay.ts';
import type { Relay, RelayEvents } from '../../src/relay/relay.ts';
import {
  acquireLease,
  advanceCursors,
  readBacklogs,
  readUnpublished,
} from '../../src/relay/store/relay-state.ts';
import { startTestNats, type TestNats } from '../support/nats.ts';
import { countStream, expectSequences, readStream } from '../support/stream.ts';
import { chargeOfEvent, chargeRequest, openTestStore, type TestStore } from '../support/store.ts';
import { waitFor } from '../support/wait-for.ts';

const TENANT = 'default';
const CONFIG = { eventFormat: 'protobuf', eventMaxAgeMs: 3_600_000, streamReplicas: 1 } as const;

let store: TestStore;
let nats: TestNats;
let relays: Relay[] = [];

beforeEach(async () => {
  [store, nats] = await Promise.all([openTestStore(), startTestNats()]);
});
afterEach(async () => {
  await Promise.all(relays.map((relay) => relay.stop()));
  relays = [];
  await Promise.all([store.close(), nats.stop()]);
});

interface Log {
  readonly published: number[];
  readonly deadLetters: bigint[];
  connected: boolean;
  leading: boolean;
  failures: number;
}

function startRelay(config: Partial<Parameters<typeof createRelay>[0]> = {}): { relay: Relay; log: Log } {
  const log: Log = { published: [], deadLetters: [], connected: false, leading: false, failures: 0 };
  const events: RelayEvents = {
    connected: (connected) => (log.connected = connected),
    publishing: () => undefined,
    streamWarning: () => undefined,
    leading: (leading) => (log.leading = leading),
    published: (count) => log.published.push(count),
    deadLetter: (_tenant, sequence) => log.deadLetters.push(sequence),
    failed: () => log.failures++,
  };
  const relay = createRelay({ ...CONFIG, ...config }, store.everyTenant.em, nats.url, events);
  relays.push(relay);
  relay.start();
  return { relay, log };
}

async function record(prefix: string, count: number): Promise<void> {
  const requests = Array.from({ length: count }, (_, i) => chargeRequest(`${prefix}-${i}`));
  await store.writer.record(TENANT, requests);
}

async function waiting(): Promise<number> {
  return (await readUnpublished(store.everyTenant.em)).waiting;
}

async function drained(): Promise<void> {
  await waitFor('the backlog to be empty', async () => (await waiting()) === 0);
}

describe('the relay', () => {
  test('publishes the journal in order, with message ids and CloudEvents headers', async () => {
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    await store.writer.record(TENANT, [{ ...chargeRequest('traced', { reference: 'inv' }), traceparent }]);
    await record('more', 1200);
    const { relay } = startRelay();
    relay.notify();
    await drained();

    const messages = await readStream(nats.url);
    expectSequences(messages, 1201);
    const [first, second] = messages;
    const event = ChargeCreated.decode(first?.payload ?? new Uint8Array());
    expect(event).toMatchObject({ tenant: TENANT, sequence: 1n, eventId: event.charge?.id });
    expect(first?.subject).toBe('charge.created');
    expect(first?.headers).toMatchObject({
      'Nats-Msg-Id': event.eventId,
      'ce-specversion': '1.0',
      'ce-id': event.eventId,
      'ce-type': 'charge.v1.ChargeCreated',
      'ce-subject': event.charge?.id,
      'ce-dataschema': 'https://type.googleapis.com/charge.v1.ChargeCreated',
      'ce-sequence': '1',
      'content-type': 'application/protobuf',
      traceparent,
    });
    const stored = await store.reader.findByRequestId(TENANT, 'traced');
    expect(event.charge).toMatchObject({ id: stored?.id, reference: 'inv', promptTokens: 374n });
    expect(second?.headers['traceparent']).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
  });

  test('publishes JSON if the configuration says so', async () => {
    await record('json', 1);
    startRelay({ eventFormat: 'json' });
    await drained();
    const [message] = await readStream(nats.url);
    expect(message?.headers['content-type']).toBe('application/json');
    expect(JSON.parse(Buffer.from(message?.payload ?? []).toString())).toMatchObject({
      sequence: '1',
      charge: { promptTokens: '374', provider: 'PROVIDER_OPENAI' },
    });
  });

  test('works off what was committed while NATS was away, without help', async () => {
    await nats.kill();
    const { log } = startRelay();
    await record('away', 700);
    await waitFor('the relay to notice', () => log.failures > 0);
    expect(await waiting()).toBe(700);
    await nats.restart();
    await drained();
    expectSequences(await readStream(nats.url), 700);
  });

  test('ends a round at the entry that was the last of the journal when the round began', async () => {
    await record('early', 30);
    const [backlog] = await readBacklogs(store.everyTenant.em, { limit: 1 });
    await record('late', 600);
    const { em } = store.everyTenant;
    const leadership = new Leadership(em, 10_000, () => undefined);
    await leadership.acquire();
    const options = {
      format: 'protobuf',
      batchSizeMax: 500,
      roundSizeMax: 500,
      recentBytesMax: 1e6,
      ackTimeoutMs: 5_000,
    } as const;
    const journals = new JournalPublisher(em, leadership, options, {
      published: () => undefined,
      deadLetter: () => undefined,
    });
    const limits = { replicas: 1, maxAgeMs: 0, duplicateWindowMs: 120_000 };
    const stream = { name: 'CHARGES', subjects: ['charge.>'], ...limits };
    const broker = await openBroker({ url: nats.url, stream, format: 'protobuf', connectTimeoutMs: 5_000 });
    try {
      if (backlog === undefined) throw new Error('nothing to do');
      await broker.checkStream();
      await journals.synchronize(broker);
      expect(await journals.publish(broker, [backlog], new AbortController().signal)).toBe('complete');
      expect((await readBacklogs(em, { limit: 1 }))[0]).toMatchObject({
        publishedSequence: 30n,
        lastSequence: 630n,
      });
    } finally {
      await broker.close();
      await leadership.release();
    }
  });

  test('goes on where it was when NATS is killed in the middle, without a gap or a change of order', async () => {
    startRelay();
    await record('before', 500);
    await waitFor('the first events', async () => (await waiting()) < 500);
    await nats.kill();
    await record('during', 500);
    await nats.restart();
    await record('after', 500);
    await drained();
    expectSequences(await readStream(nats.url), 1500);
  });

  test('has one leader among several replicas, and another takes over when it stops', async () => {
    const replicas = [startRelay(), startRelay(), startRelay()];
    await record('leader', 50);
    await drained();
    expect(replicas.filter(({ log }) => log.leading)).toHaveLength(1);
    const leader = replicas.find(({ log }) => log.leading);
    await leader?.relay.stop();
    await record('follower', 50);
    await drained();
    expect(replicas.filter((replica) => replica !== leader && replica.log.leading)).toHaveLength(1);
    expectSequences(await readStream(nats.url), 100);
  });

  test('takes over from a leader that died, when its term is over', async () => {
    await acquireLease(store.everyTenant.em, '00000000-0000-4000-8000-000000000001', 300);
    const { log } = startRelay();
    await record('orphaned', 3);
    await waitFor('the connection', () => log.connected);
    await drained();
    expect(log.leading).toBe(true);
    expectSequences(await readStream(nats.url), 3);
  });

  test('does not publish again what a killed leader published but did not mark', async () => {
    const { relay } = startRelay();
    await record('marked', 10);
    await drained();
    await relay.stop();
    // As if the process had died between the broker's acknowledgement and the cursor.
    await store.owner.pool.query('UPDATE relay_cursor SET published_sequence = 4');
    const { log } = startRelay();
    await record('next', 1);
    await drained();
    expect(log.published).toEqual([1]);
    expectSequences(await readStream(nats.url), 11);
  });

  test('does not publish again after a reconnect what was stored before it, past the dedupe window', async () => {
    const connection = await connect({ servers: nats.url });
    const manager = await jetstreamManager(connection);
    const duplicateWindow = { duplicate_window: nanos(100) };
    await manager.streams.add({ name: 'CHARGES', subjects: ['charge.>'], ...duplicateWindow });
    await manager.streams.add({ name: 'PROBE', subjects: ['probe'], ...duplicateWindow });
    const { log } = startRelay();
    await record('stored', 10);
    await drained();
    // The probe is stored after the events, so their ids are too old as well when it is taken again.
    const probe = () => jetstream(connection).publish('probe', '', { msgID: 'probe' });
    await probe();
    await waitFor('the broker to forget the ids', async () => !(await probe()).duplicate);
    await connection.close();
    await nats.kill();
    await waitFor('the relay to notice', () => !log.connected);
    // As if the acknowledgements of the last six had been lost with the connection.
    await store.owner.pool.query('UPDATE relay_cursor SET published_sequence = 4');
    await nats.restart();
    await record('next', 1);
    await drained();
    expectSequences(await readStream(nats.url), 11);
  });

  test('leads although the database clock was set back during another leader’s term', async () => {
    await store.owner.pool.query(
      `INSERT INTO relay_lease VALUES ('relay', 7, '00000000-0000-4000-8000-000000000001', now() + interval '1 hour')`,
    );
    const { log } = startRelay();
    await record('clock', 3);
    await drained();
    expect(log.leading).toBe(true);
  });

  test('keeps an event that the broker will never accept as a dead letter, and goes on', async () => {
    const connection = await connect({ servers: nats.url });
    const manager = await jetstreamManager(connection);
    await manager.streams.add({ name: 'CHARGES', subjects: ['charge.>'], max_msg_size: 2_000 });
    await connection.close();
    const labels = new Map(Array.from({ length: 16 }, (_, i) => [`key-${i}`, 'v'.repeat(255)]));
    await store.writer.record(TENANT, [
      chargeRequest('small-1'),
      chargeRequest('large', { labels }),
      chargeRequest('small-2'),
    ]);
    const { log } = startRelay();
    await drained();
    expect(log.deadLetters).toEqual([2n]);
    const { rows } = await store.owner.pool.query('SELECT sequence, reason FROM dead_letter');
    expect(rows).toEqual([{ sequence: '2', reason: expect.stringMatching(/size/) as unknown }]);
    const sequences = (await readStream(nats.url)).map(
      ({ payload }) => ChargeCreated.decode(payload).sequence,
    );
    expect(sequences).toEqual([1n, 3n]);
  });

  test('waits while the stream is full and goes on in order when there is room', async () => {
    const connection = await connect({ servers: nats.url });
    const manager = await jetstreamManager(connection);
    const limits = { discard: 'new' as const, max_msgs: 3 };
    await manager.streams.add({ name: 'CHARGES', subjects: ['charge.>'], ...limits });
    await record('full', 10);
    const { log } = startRelay();
    await waitFor('the broker to refuse', () => log.failures > 0);
    await waitFor('the cursor', async () => (await waiting()) === 7);
    await manager.streams.update('CHARGES', { max_msgs: -1 });
    await drained();
    await connection.close();
    expectSequences(await readStream(nats.url), 10);
  });

  test('drains before it stops, and says so when it cannot', async () => {
    const { relay, log } = startRelay();
    await waitFor('the relay to lead', () => log.leading);
    await record('drain', 300);
    expect(await relay.drain(10_000)).toBe(true);
    await nats.kill();
    await record('stuck', 1);
    expect(await relay.drain(100)).toBe(false);
  });
});

describe('events that a server process hands over', () => {
  /** A trace context that the stored charge does not have: it tells where the event came from. */
  const handedOver = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

  async function handOver(relay: Relay, prefix: string, count: number): Promise<void> {
    const entries: ChargeEvent[] = [];
    const writer = store.anotherWriter({}, (group) => entries.push(...group));
    await writer.record(
      TENANT,
      Array.from({ length: count }, (_, i) => chargeRequest(`${prefix}-${i}`)),
    );
    const traced = entries.map((entry) => ({ ...entry, traceparent: handedOver }));
    relay.committed([encodeCommittedEvents(traced, 'protobuf')]);
  }

  test('are published without being read back, and mixed with those of other replicas', async () => {
    const { relay, log } = startRelay();
    await waitFor('the relay to lead', () => log.leading);
    await handOver(relay, 'first', 20);
    await record('other-replica', 5);
    await handOver(relay, 'second', 20);
    await drained();
    const messages = await readStream(nats.url);
    expectSequences(messages, 45);
    const fromMemory = messages.map(({ headers }) => headers['traceparent'] === handedOver);
    expect(fromMemory.slice(0, 25)).toEqual([
      ...Array<boolean>(20).fill(true),
      ...Array<boolean>(5).fill(false),
    ]);
  });

  test('are what the journal would have given', async () => {
    const [request] = [
      { ...chargeRequest('same', { labels: new Map([['team', 'ü']]) }), traceparent: handedOver },
    ];
    const groups: (readonly ChargeEvent[])[] = [];
    await store.anotherWriter({}, (group) => groups.push(group)).record(TENANT, [request]);
    const [entries = []] = groups;
    const { tenant, firstSequence, messages } = decodeCommittedEvents(
      encodeCommittedEvents(entries, 'protobuf'),
    );
    expect({ tenant, firstSequence }).toEqual({ tenant: TENANT, firstSequence: 1n });
    const read = await store.journal.read(TENANT, 0n, 1);
    expect(messages.map(plain)).toEqual(read.map((entry) => plain(eventMessage(entry, 'protobuf'))));
  });
});

function plain({ payload, ...message }: EventMessage): object {
  return { ...message, payload: ChargeCreated.toJSON(ChargeCreated.decode(payload)) };
}

describe('the fence', () => {
  test('at the broker keeps a publisher that has missed a message from storing anything', async () => {
    const { relay } = startRelay();
    await record('fence', 2);
    await drained();
    await relay.stop();
    const entries = await store.journal.read(TENANT, 0n, 2);
    const [event] = entries.map((entry) => eventMessage(entry, 'protobuf'));
    if (event === undefined) throw new Error('no event');
    const stream = {
      name: 'CHARGES',
      subjects: ['charge.>'],
      replicas: 1,
      maxAgeMs: 0,
      duplicateWindowMs: 120_000,
    };
    const options = { url: nats.url, stream, format: 'protobuf', connectTimeoutMs: 5_000 } as const;
    const [former, current] = [await openBroker(options), await openBroker(options)];
    try {
      await former.synchronize();
      await current.synchronize();
      expect(await current.lastPublished(TENANT)).toEqual({ id: chargeOfEvent(entries[1]).id, sequence: 2n });
      await current.publisher.publish([{ ...event, id: randomUUID() }], 5_000);
      await expect(former.publisher.publish([{ ...event, id: randomUUID() }], 5_000)).rejects.toThrow(
        /wrong last sequence/,
      );
      expect(former.publisher.synchronized).toBe(false);
      expect(await countStream(nats.url)).toBe(3);
    } finally {
      await Promise.all([former.close(), current.close()]);
    }
  });

  test('lets the relay go on after what somebody else published into the stream', async () => {
    startRelay();
    await record('before', 3);
    await drained();
    const connection = await connect({ servers: nats.url });
    await jetstream(connection).publish('charge.note', 'not ours');
    await connection.close();
    await record('after', 3);
    await drained();
    const messages = await readStream(nats.url);
    expect(messages.map(({ subject }) => subject)).toEqual([
      ...Array<string>(3).fill('charge.created'),
      'charge.note',
      ...Array<string>(3).fill('charge.created'),
    ]);
  });

  test('keeps a leader whose term is over from moving the cursor', async () => {
    const { relay } = startRelay();
    await record('fence', 5);
    await drained();
    await relay.stop();
    const { pool, em } = store.everyTenant;
    const former = await acquireLease(em, '00000000-0000-4000-8000-000000000001', -1);
    const current = await acquireLease(em, '00000000-0000-4000-8000-000000000002', 10_000);
    if (former === undefined || current === undefined) throw new Error('no lease');
    expect(await advanceCursors(em, former, new Map([[TENANT, 99n]]))).toBe(false);
    expect(await advanceCursors(em, current, new Map([[TENANT, 3n]]))).toBe(true);
    const { rows } = await pool.query('SELECT published_sequence FROM relay_cursor');
    expect(rows).toEqual([{ published_sequence: '5' }]);
  });
});
