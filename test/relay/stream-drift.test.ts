/** A stream that somebody else has made or changed: events wait, the reason is told once, and a repair heals it. */

import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { type JetStreamManager, jetstreamManager, type StreamConfig } from '@nats-io/jetstream';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { Registry } from 'prom-client';

import { ChargeCreated } from '../../generated/charge/v1/event.ts';
import type { Logger } from '../../src/observability/logger.ts';
import { createRelayMetrics } from '../../src/observability/relay-metrics.ts';
import { createRelay, type Relay, readUnpublished } from '../../src/relay/index.ts';
import { observeRelay } from '../../src/supervisor/relay-status.ts';
import { startTestNats, type TestNats } from '../support/nats.ts';
import { chargeRequest, openTestStore, type TestStore } from '../support/store.ts';
import { waitFor } from '../support/wait-for.ts';

const CONFIG = { eventFormat: 'protobuf', eventMaxAgeMs: 3_600_000, streamReplicas: 1 } as const;
/** Shorter than in production, so that the suite need not wait. */
const BOUNDS = { streamCheckMs: 300, backoffMaxMs: 300, ackTimeoutMs: 1_000 };
const TENANT = 'default';

let nats: TestNats;
let connection: NatsConnection;
let manager: JetStreamManager;
let store: TestStore;
let relay: Relay;
let logged: { level: string; message: string; reason?: string }[];
let serving: boolean[];

beforeAll(async () => {
  nats = await startTestNats();
  connection = await connect({ servers: nats.url });
  manager = await jetstreamManager(connection);
});
afterAll(async () => {
  await connection.close();
  await nats.stop();
});
beforeEach(async () => {
  store = await openTestStore();
  logged = [];
  serving = [];
});
afterEach(async () => {
  await relay.stop();
  for await (const { config } of manager.streams.list()) await manager.streams.delete(config.name);
  await store.close();
});

type Stream = Partial<StreamConfig> & { name: string };

/** Makes the streams, then a relay, then five charges, which are published together. */
async function fiveCharges(streams: readonly Stream[]) {
  for (const { sealed, ...config } of streams) {
    const { config: made } = await manager.streams.add(config);
    if (sealed) await manager.streams.update(config.name, { ...made, sealed } as StreamConfig);
  }
  const log = (level: string) => (fields: { reason?: string }, message: string) =>
    logged.push({ level, message, ...fields });
  const logger = { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') };
  const { events, status } = observeRelay(
    createRelayMetrics(new Registry()),
    logger as unknown as Logger,
    (publishing) => serving.push(publishing),
  );
  relay = createRelay(CONFIG, store.everyTenant.em, nats.url, events, BOUNDS);
  relay.start();
  const requests = Array.from({ length: 5 }, (_, i) => chargeRequest(`drift-${i}`));
  await store.writer.record(TENANT, requests);
  relay.notify();
  return status;
}

/** Read one by one: a work queue allows no consumer that does not acknowledge. */
async function published(): Promise<bigint[]> {
  const { state } = await manager.streams.info('CHARGES');
  const numbers = Array.from({ length: state.last_seq }, (_, index) => index + 1);
  const found = await Promise.all(numbers.map((seq) => manager.streams.getMessage('CHARGES', { seq })));
  return found.flatMap((message) => (message === null ? [] : ChargeCreated.decode(message.data).sequence));
}

const unpublished = () => readUnpublished(store.everyTenant.em);
const warnings = () => logged.filter(({ level }) => level === 'warn');
const drained = () => waitFor('the backlog', async () => (await unpublished()).waiting === 0);
const update = (config: Partial<StreamConfig>) => manager.streams.update('CHARGES', config);

interface Waits {
  readonly name: string;
  readonly streams: readonly Stream[];
  readonly reason: RegExp;
  readonly repair: () => Promise<unknown>;
  /** Events that are in the stream before the repair. */
  readonly stored?: number;
}

const remake = () => manager.streams.delete('CHARGES');

test.each<Waits>([
  {
    name: 'other subjects',
    streams: [{ name: 'CHARGES', subjects: ['billing.>'] }],
    reason:
      /CHARGES does not take charge\.>, user_profile\.> \(its subjects are billing\.>\): add charge\.>, user_profile\.>/,
    repair: () => update({ subjects: ['billing.>', 'charge.>'] }),
  },
  {
    name: 'another stream that owns the subject',
    streams: [{ name: 'EVENTS', subjects: ['charge.>'] }],
    reason:
      /CHARGES cannot be made: other streams take its subjects charge\.>, budget\.>, user_profile\.>: .* EVENTS/,
    repair: () => manager.streams.delete('EVENTS'),
  },
  {
    name: 'other subjects, and another stream that owns ours',
    streams: [
      { name: 'CHARGES', subjects: ['charge.voided'] },
      { name: 'EVENTS', subjects: ['charge.created'] },
    ],
    reason: /does not take charge\.>, user_profile\.> .*: remove them from the stream EVENTS/,
    repair: async () => {
      await manager.streams.delete('EVENTS');
      await update({ subjects: ['charge.>'] });
    },
  },
  {
    name: 'a full stream that refuses new messages',
    streams: [{ name: 'CHARGES', subjects: ['charge.>'], max_msgs: 2, discard: 'new' }],
    reason: /the stream CHARGES is full \(maximum messages exceeded\): raise its limit/,
    repair: () => update({ max_msgs: -1 }),
    stored: 2,
  },
  {
    name: 'a stream that is full by bytes',
    streams: [{ name: 'CHARGES', subjects: ['charge.>'], max_bytes: 2_000, discard: 'new' }],
    reason: /the stream CHARGES is full \(maximum bytes exceeded\)/,
    repair: () => update({ max_bytes: -1 }),
    stored: 2,
  },
  {
    name: 'no acknowledgements',
    streams: [{ name: 'CHARGES', subjects: ['charge.>'], no_ack: true }],
    reason: /CHARGES gives no acknowledgement \(no_ack is true\): set no_ack to false/,
    repair: () => update({ no_ack: false }),
  },
  {
    name: 'a mirror',
    streams: [
      { name: 'ORIGIN', subjects: ['other'] },
      { name: 'CHARGES', mirror: { name: 'ORIGIN' } },
    ],
    reason: /CHARGES is a mirror of ORIGIN, which takes no events: delete it, and the service makes it again/,
    repair: remake,
  },
  {
    name: 'a sealed stream',
    streams: [{ name: 'CHARGES', subjects: ['charge.>'], sealed: true }],
    reason: /CHARGES is sealed, so it takes no events: delete it/,
    repair: remake,
  },
])('$name: events wait for the repair, and the reason is told once', async (stream) => {
  const { streams, reason, repair, stored = 0 } = stream;
  const status = await fiveCharges(streams);
  await waitFor('the reason', () => !status.publishing.publishing && reason.test(status.publishing.reason));
  await waitFor('what is stored', async () => (await unpublished()).waiting === 5 - stored);
  const attempts = logged.length + 3;
  await waitFor('further attempts', () => logged.length >= attempts);
  expect(warnings()).toMatchObject([{ reason: expect.stringMatching(reason) as unknown }]);
  expect(serving.at(-1)).toBe(false);
  expect(await relay.drain(10_000)).toBe(false);

  await repair();
  await drained();
  expect(await published()).toEqual([1n, 2n, 3n, 4n, 5n]);
  await waitFor('the end', () => status.publishing.publishing);
  expect(serving.at(-1)).toBe(true);
  expect(warnings()).toHaveLength(1);
});

test.each<{ name: string; stream: Partial<StreamConfig>; warning: RegExp; left: bigint[] }>([
  {
    name: 'discard: old with a limit',
    stream: { max_msgs: 2, discard: 'old' },
    warning: /CHARGES drops old events when it reaches its limit \(max_msgs: 2; discard: old\)/,
    left: [4n, 5n],
  },
  {
    name: 'a limit for each subject',
    stream: { max_msgs_per_subject: 1, discard: 'new' },
    warning: /CHARGES drops old events when it reaches its limit \(max_msgs_per_subject: 1; discard: new\)/,
    left: [5n],
  },
  {
    name: 'retention: workqueue',
    stream: { retention: 'workqueue' },
    warning: /CHARGES drops each event after one consumer has read it \(retention: workqueue\)/,
    left: [1n, 2n, 3n, 4n, 5n],
  },
  {
    name: 'retention: interest',
    stream: { retention: 'interest' },
    warning: /CHARGES drops events that no consumer subscribes to \(retention: interest\)/,
    left: [],
  },
  {
    name: 'storage: memory',
    stream: { storage: 'memory' },
    warning: /CHARGES keeps events in memory: a restart of NATS loses them/,
    left: [1n, 2n, 3n, 4n, 5n],
  },
])('$name: events are published, with one warning', async ({ stream, warning, left }) => {
  const status = await fiveCharges([{ name: 'CHARGES', subjects: ['charge.>'], ...stream }]);
  await drained();
  await waitFor('the state', () => status.publishing.publishing);
  expect(warnings()).toMatchObject([{ message: expect.stringMatching(warning) as unknown }]);
  expect((await manager.streams.info('CHARGES')).state.last_seq).toBe(5);
  expect(await published()).toEqual(left);
});

test('no stream: the service makes it', async () => {
  const status = await fiveCharges([]);
  await drained();
  await waitFor('the state', () => status.publishing.publishing);
  expect(await published()).toEqual([1n, 2n, 3n, 4n, 5n]);
  expect(warnings()).toEqual([]);
});

test('messages too small for any event: each event becomes a dead letter, which is reported and counted', async () => {
  const status = await fiveCharges([{ name: 'CHARGES', subjects: ['charge.>'], max_msg_size: 100 }]);
  // The cursor moves after the dead letter is stored.
  await waitFor('dead letters', async () => (await unpublished()).waiting === 0);
  expect(await unpublished()).toEqual({ waiting: 0, deadLetters: 5 });
  expect(logged.filter(({ level }) => level === 'error')).toHaveLength(5);
  await waitFor(
    'the state',
    () => status.leading && logged.some(({ reason }) => reason?.includes('raise max_msg_size')),
  );
  expect(serving).not.toContain(true);
  expect(await published()).toEqual([]);

  await update({ max_msg_size: -1 });
  await store.writer.record(TENANT, [chargeRequest('after')]);
  await drained();
  expect(await published()).toEqual([6n]);
  await waitFor('the state', () => status.publishing.publishing);
});

test('a stream that is changed while nothing is published is noticed, and so is its repair', async () => {
  const status = await fiveCharges([]);
  await drained();
  await update({ subjects: ['billing.>'] });
  await waitFor('the change', () => !status.publishing.publishing);
  await update({ subjects: ['charge.>'] });
  await waitFor('the repair', () => status.publishing.publishing);
  expect(warnings()).toHaveLength(1);
});

test('no_ack that is set while the service runs: each event is there once after the repair', async () => {
  const status = await fiveCharges([]);
  await drained();
  await update({ no_ack: true });
  await store.writer.record(TENANT, [chargeRequest('unacknowledged-1'), chargeRequest('unacknowledged-2')]);
  const reason = () => (status.publishing.publishing ? '' : status.publishing.reason);
  await waitFor('the reason', () => reason().includes('no_ack is true'));
  await update({ no_ack: false });
  await drained();
  expect(await published()).toEqual([1n, 2n, 3n, 4n, 5n, 6n, 7n]);
  expect(warnings()).toHaveLength(1);
});
