/** Many tenants at one relay: whose events are published where, and how long they wait for each other. */

import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { type JetStreamManager, jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect, nanos, type NatsConnection } from '@nats-io/transport-node';

import { ChargeCreated } from '../../generated/charge/v1/event.ts';
import type { ChargeEvent } from '../../src/charges/charge-event.ts';
import { createStreamComparison, type StreamFinding } from '../../src/relay/compare-stream.ts';
import { encodeCommittedEvents } from '../../src/relay/committed-events.ts';
import { createRelay } from '../../src/relay/open-relay.ts';
import type { Relay, RelayOptions } from '../../src/relay/relay.ts';
import { readUnpublished } from '../../src/relay/store/relay-state.ts';
import { silentRelayEvents } from '../clients/support/relay-events.ts';
import { query } from '../support/database.ts';
import { startTestNats, type TestNats } from '../support/nats.ts';
import { readStream, type StreamMessage } from '../support/stream.ts';
import { chargeRequest, openTestStore, type TestStore } from '../support/store.ts';
import { waitFor } from '../support/wait-for.ts';

const CONFIG = { eventFormat: 'protobuf', eventMaxAgeMs: 3_600_000, streamReplicas: 1 } as const;

let store: TestStore;
let nats: TestNats;
let connection: NatsConnection;
let manager: JetStreamManager;
let relays: Relay[] = [];

beforeEach(async () => {
  [store, nats] = await Promise.all([openTestStore(), startTestNats()]);
  connection = await connect({ servers: nats.url });
  manager = await jetstreamManager(connection);
});
afterEach(async () => {
  await Promise.all(relays.map((relay) => relay.stop()));
  relays = [];
  await connection.close();
  await Promise.all([store.close(), nats.stop()]);
});

/** What the relays of a test have told. */
interface Told {
  leading: boolean;
  published: number;
}

function startRelay(overrides: Partial<RelayOptions> = {}): { relay: Relay; told: Told } {
  const told: Told = { leading: false, published: 0 };
  const events = {
    ...silentRelayEvents,
    leading: (leading: boolean) => void (told.leading = leading),
    published: (count: number) => void (told.published += count),
  };
  const relay = createRelay(CONFIG, store.everyTenant.em, nats.url, events, overrides);
  relays.push(relay);
  relay.start();
  return { relay, told };
}

let recorded = 0;
async function record(tenant: string, count: number): Promise<ChargeEvent[]> {
  const events: ChargeEvent[] = [];
  await store.owner.pool.query('INSERT INTO journal_head VALUES ($1, 0) ON CONFLICT DO NOTHING', [tenant]);
  const requests = Array.from({ length: count }, () => chargeRequest(`charge-${recorded++}`));
  await store
    .anotherWriter({ queueSizeMax: 50_000 }, (group) => events.push(...group))
    .record(tenant, requests);
  return events;
}

async function drained(): Promise<void> {
  await waitFor(
    'the backlog to be empty',
    async () => (await readUnpublished(store.everyTenant.em)).waiting === 0,
  );
}

const tenantOf = ({ payload }: StreamMessage): string => ChargeCreated.decode(payload).tenant;

/** Of each tenant, in the order of the stream. */
function sequencesOf(messages: readonly StreamMessage[]): Record<string, number[]> {
  const byTenant: Record<string, number[]> = {};
  for (const { payload } of messages) {
    const { tenant, sequence } = ChargeCreated.decode(payload);
    (byTenant[tenant] ??= []).push(Number(sequence));
  }
  return byTenant;
}

const oneTo = (last: number): number[] => Array.from({ length: last }, (_, index) => index + 1);
const small = Array.from({ length: 50 }, (_, index) => `small-${index}`);

test('each tenant has its own subjects and its own numbers', async () => {
  await record('acme', 3);
  await record('default', 2);
  startRelay();
  await drained();
  await record('globex', 1);
  await record('acme', 1);
  await drained();
  const messages = await readStream(nats.url);
  expect(sequencesOf(messages)).toEqual({ acme: [1, 2, 3, 4], default: [1, 2], globex: [1] });
  for (const message of messages) {
    const tenant = tenantOf(message);
    expect(message.subject).toBe(tenant === 'default' ? 'charge.created' : `charge.${tenant}.created`);
    expect(message.headers['ce-source']).toBe(`/charge.v1.ChargeService/tenants/${tenant}`);
  }
});

test('a tenant with 20,000 waiting events does not keep 50 others waiting, nor one that comes meanwhile', async () => {
  for (let part = 0; part < 20; part++) await record('big', 1_000);
  await Promise.all(small.map((tenant) => record(tenant, 1)));
  const { told } = startRelay({ roundSizeMax: 2_000 });
  await waitFor('the first rounds', () => told.published >= 3_000);
  await record('newcomer', 1);
  await drained();
  const tenants = (await readStream(nats.url)).map(tenantOf);
  // The short journals come first in the first round, before the share of the long one.
  expect(new Set(tenants.slice(0, 50))).toEqual(new Set(small));
  const after = tenants.slice(tenants.indexOf('newcomer')).filter((tenant) => tenant === 'big').length;
  expect(after).toBeGreaterThan(5_000);
  expect(tenants).toHaveLength(20_051);
});

test('with more waiting tenants than a round has room for, each has its turn before any has a second one', async () => {
  const many = Array.from({ length: 250 }, (_, index) => `t-${String(index).padStart(3, '0')}`);
  await Promise.all(many.map((tenant) => record(tenant, 3)));
  // One event for each tenant in each round.
  startRelay({ roundSizeMax: 1 });
  await drained();
  const messages = await readStream(nats.url);
  expect(sequencesOf(messages)).toEqual(Object.fromEntries(many.map((tenant) => [tenant, [1, 2, 3]])));
  expect(new Set(messages.slice(0, 250).map(tenantOf)).size).toBe(250);
  expect(new Set(messages.slice(250, 500).map(tenantOf)).size).toBe(250);
});

test('events that are handed over are published although the next poll of all journals is far away', async () => {
  const { relay, told } = startRelay({ pollMs: 3_600_000 });
  await record('default', 1);
  await waitFor('the first poll', () => {
    relay.notify();
    return told.published === 1;
  });
  for (const tenant of ['acme', 'globex', 'acme']) {
    const [first, ...rest] = await record(tenant, 5);
    if (first === undefined) throw new Error('no event');
    relay.committed([encodeCommittedEvents([first, ...rest], 'protobuf')]);
  }
  await waitFor('the events', () => told.published === 16);
  // Beyond what was handed over, nobody knows of it: another replica, for example.
  await record('acme', 1);
  relay.committed([encodeCommittedEvents(await record('acme', 1), 'protobuf')]);
  await waitFor('the events', () => told.published === 18);
  expect(sequencesOf(await readStream(nats.url))).toEqual({
    default: [1],
    acme: oneTo(12),
    globex: oneTo(5),
  });
});

test('a relay that takes over publishes nothing again, of any tenant, past the dedupe window', async () => {
  await manager.streams.add({ name: 'CHARGES', subjects: ['charge.>'], duplicate_window: nanos(100) });
  const tenants = ['default', 'acme', ...small];
  await Promise.all(tenants.map((tenant) => record(tenant, 4)));
  const { relay } = startRelay();
  await drained();
  await relay.stop();
  // As if the process had died between the acknowledgements and the cursors.
  await query(
    store.url,
    `UPDATE relay_cursor SET published_sequence = 1 WHERE tenant <> 'acme'`,
    `DELETE FROM relay_cursor WHERE tenant = 'acme'`,
  );
  // Somebody else's messages hide nothing.
  await jetstream(connection).publish('charge.acme.note', '');
  await jetstream(connection).publish('charge.note', '');
  const { told } = startRelay();
  await record('default', 1);
  await drained();
  expect(told.published).toBe(1);
});

test('an existing stream gets the subjects that it lacks, and keeps everything else', async () => {
  await manager.streams.add({
    name: 'CHARGES',
    subjects: ['charge.>', 'notes'],
    max_msgs: 77,
    discard: 'new',
  });
  startRelay();
  await record('acme', 1);
  await drained();
  const { config } = await manager.streams.info('CHARGES');
  expect(config.subjects).toEqual(['charge.>', 'notes', 'budget.>', 'user_profile.>']);
  expect(config.max_msgs).toBe(77);
});

test('the comparison of a tenant reads its subjects only, and finds what is on them but not its own', async () => {
  await record('acme', 5);
  await record('globex', 5);
  await record('default', 5);
  const { relay } = startRelay();
  await drained();
  await relay.stop();
  const messages = await readStream(nats.url);
  const places = (tenant: string) =>
    messages.flatMap((message, index) => (tenantOf(message) === tenant ? [index + 1] : []));
  await manager.streams.deleteMessage('CHARGES', places('acme')[1] ?? 0, false);
  // An event of another tenant on its subject.
  await jetstream(connection).publish(
    'charge.acme.created',
    messages[places('globex')[0] ?? 0]?.payload ?? '',
  );
  let total = 0n;
  const compare = async (tenant: string) => {
    const findings: StreamFinding[] = [];
    await createStreamComparison(CONFIG, () => nats.url)(store.everyTenant.em.fork(), {
      tenant,
      repair: false,
      repairing: () => Promise.resolve(),
      signal: new AbortController().signal,
      progress: (_, of) => void (total = of),
      found: (finding) => void findings.push(finding),
      compared: () => undefined,
    });
    return findings;
  };
  expect(await compare('acme')).toEqual([
    { kind: 'foreign', first: 16n, last: 16n },
    { kind: 'missing', first: 2n, last: 2n, repaired: false, detail: '' },
  ]);
  expect(total).toBe(5n);
  expect(await compare('globex')).toEqual([]);
  expect(await compare('default')).toEqual([]);
});
