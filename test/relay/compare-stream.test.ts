/** A stream that somebody has damaged: what is missing is named and published again. */

import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { type JetStreamManager, jetstreamManager, jetstream } from '@nats-io/jetstream';
import { connect, headers, nanos, type NatsConnection } from '@nats-io/transport-node';

import { forTenant } from '../../src/database/driver.ts';
import { createStreamComparison, type StreamFinding } from '../../src/relay/compare-stream.ts';
import { createRelay } from '../../src/relay/open-relay.ts';
import type { Relay } from '../../src/relay/relay.ts';
import { readUnpublished } from '../../src/relay/store/relay-state.ts';
import { query } from '../support/database.ts';
import { startTestNats, type TestNats } from '../support/nats.ts';
import { chargeRequest, openTestStore, type TestStore } from '../support/store.ts';
import { readStream } from '../support/stream.ts';
import { waitFor } from '../support/wait-for.ts';

const TENANT = 'default';
const CONFIG = { eventFormat: 'protobuf', eventMaxAgeMs: 3_600_000, streamReplicas: 1 } as const;
/** Short, so that NATS takes the same message again. */
const STREAM = { name: 'CHARGES', subjects: ['charge.>', 'budget.>'], duplicate_window: nanos(100) };

let store: TestStore;
let nats: TestNats;
let connection: NatsConnection;
let manager: JetStreamManager;
let relay: Relay;

beforeEach(async () => {
  announced.length = 0;
  [store, nats] = await Promise.all([openTestStore(), startTestNats()]);
  connection = await connect({ servers: nats.url });
  manager = await jetstreamManager(connection);
  await manager.streams.add(STREAM);
  relay = startRelay();
  await record(20);
  await drained();
});
afterEach(async () => {
  await relay.stop();
  await connection.close();
  await Promise.all([store.close(), nats.stop()]);
});

function startRelay(): Relay {
  const ignore = () => undefined;
  const events = {
    connected: ignore,
    publishing: ignore,
    streamWarning: ignore,
    leading: ignore,
    published: ignore,
    deadLetter: ignore,
    failed: ignore,
  };
  const started = createRelay(CONFIG, store.everyTenant.em, nats.url, events, { backoffMaxMs: 200 });
  started.start();
  return started;
}

let recorded = 0;
async function record(count: number): Promise<void> {
  const requests = Array.from({ length: count }, () => chargeRequest(`charge-${recorded++}`));
  await store.writer.record(TENANT, requests);
  relay.notify();
}

async function drained(): Promise<void> {
  await waitFor(
    'the backlog to be empty',
    async () => (await readUnpublished(store.everyTenant.em)).waiting === 0,
  );
}

/** What was said before repairs, and the messages of the stream then; none: there was no stream. */
const announced: { first: bigint; last: bigint; messages: number | undefined }[] = [];

async function compare(repair = false, url: string | undefined = nats.url): Promise<StreamFinding[]> {
  const findings: StreamFinding[] = [];
  await createStreamComparison(CONFIG, () => url)(forTenant(store.database.em, TENANT), {
    tenant: TENANT,
    repair,
    repairing: async (first, last) => {
      const messages = (await manager.streams.info('CHARGES').catch(() => undefined))?.state.messages;
      announced.push({ first, last, messages });
    },
    signal: new AbortController().signal,
    progress: () => undefined,
    found: (finding) => void findings.push(finding),
    compared: () => undefined,
  });
  return findings;
}

/**
 * Repairs until nothing is missing, and resolves to what was found before. The broker takes a message id again only
 * after it has forgotten it, so that a run may repair a part of a range.
 */
async function repaired(): Promise<StreamFinding[]> {
  const before = await compare();
  await waitFor('the repair', async () => {
    const findings = await compare(true);
    return findings.every((finding) => finding.kind !== 'missing' || finding.repaired);
  });
  return before;
}

/** Of the events of the stream, in its order. */
async function sequences(): Promise<number[]> {
  return (await readStream(nats.url)).map(({ headers: { 'ce-sequence': sequence } }) => Number(sequence));
}

const oneTo = (last: number): number[] => Array.from({ length: last }, (_, index) => index + 1);
const missing = (first: bigint, last: bigint, isRepaired = false) => ({
  kind: 'missing',
  first,
  last,
  repaired: isRepaired,
  detail: '',
});

test('a stream that nobody has touched has no findings, also while events are published', async () => {
  expect(await compare()).toEqual([]);
  const writing = Promise.all(oneTo(20).map(() => record(5)));
  for (let run = 0; run < 5; run++) expect(await compare(true)).toEqual([]);
  await writing;
  await drained();
  expect(await compare()).toEqual([]);
  expect(await sequences()).toEqual(oneTo(120));
});

test('messages that were deleted are named by ranges, and only they are published again, with their ids', async () => {
  const before = await readStream(nats.url);
  for (const sequence of [4, 5, 6, 9]) await manager.streams.deleteMessage('CHARGES', sequence, false);
  const findings = [missing(4n, 6n), missing(9n, 9n)];
  expect(await compare()).toEqual(findings);
  expect(announced).toEqual([]);
  expect(await repaired()).toEqual(findings);
  expect(announced[0]).toEqual({ first: 4n, last: 20n, messages: 16 });
  expect(await compare()).toEqual([]);
  // Ranges are published as soon as the broker has forgotten their ids.
  const bySequence = (await readStream(nats.url))
    .slice(-4)
    .sort((a, b) => Number(a.headers['ce-sequence']) - Number(b.headers['ce-sequence']));
  const again = bySequence.map(({ headers: found, payload }) => ({
    id: found['Nats-Msg-Id'],
    type: found['ce-type'],
    payload: Buffer.from(payload),
  }));
  expect(again).toEqual(
    [3, 4, 5, 8].map((place) => ({
      id: before[place]?.headers['Nats-Msg-Id'],
      type: 'charge.v1.ChargeCreated',
      payload: Buffer.from(before[place]?.payload ?? []),
    })),
  );
  await record(3);
  await drained();
  expect((await sequences()).slice(-3)).toEqual([21, 22, 23]);
  expect(await compare()).toEqual([]);
});

test('a stream that was emptied gets everything again, while the relay publishes', async () => {
  await manager.streams.purge('CHARGES');
  await record(5);
  await drained();
  expect(await compare()).toEqual([missing(1n, 20n)]);
  const writing = Promise.all(oneTo(20).map(() => record(5)));
  expect(await repaired()).toEqual([missing(1n, 20n)]);
  await writing;
  await drained();
  expect((await sequences()).sort((a, b) => a - b)).toEqual(oneTo(125));
  expect(await compare()).toEqual([]);
});

test('a stream that was deleted is made again', async () => {
  await relay.stop();
  await manager.streams.delete('CHARGES');
  expect(await compare()).toEqual([missing(1n, 20n)]);
  expect(await compare()).toEqual([missing(1n, 20n)]);
  expect(announced).toEqual([]);
  expect(await compare(true)).toEqual([missing(1n, 20n, true)]);
  expect(announced).toEqual([{ first: 1n, last: 20n, messages: undefined }]);
  expect(await sequences()).toEqual(oneTo(20));
  const { config } = await manager.streams.info('CHARGES');
  expect(config.duplicate_window).toBe(nanos(120_000));
  relay = startRelay();
  await record(2);
  await drained();
  expect(await sequences()).toEqual(oneTo(22));
});

test('NATS refuses what it remembers: the events stay missing, with the reason', async () => {
  await manager.streams.update('CHARGES', { duplicate_window: nanos(120_000) });
  await record(1);
  await drained();
  const { state } = await manager.streams.info('CHARGES');
  await manager.streams.deleteMessage('CHARGES', state.last_seq, false);
  const [finding] = await compare(true);
  expect(finding).toMatchObject({ kind: 'missing', first: 21n, repaired: false });
  expect(finding).toMatchObject({ detail: expect.stringContaining('duplicate_window') });
});

test('dead letters are not missing', async () => {
  await manager.streams.deleteMessage('CHARGES', 7, false);
  await query(
    store.url,
    `INSERT INTO dead_letter (tenant, sequence, reason) VALUES ('default', 7, 'too large')`,
  );
  expect(await compare()).toEqual([]);
});

test('what is too old for the stream is not missing', async () => {
  await manager.streams.update('CHARGES', { max_age: nanos(3_600_000) });
  for (let sequence = 1; sequence <= 6; sequence++)
    await manager.streams.deleteMessage('CHARGES', sequence, false);
  expect(await compare()).toEqual([missing(1n, 6n)]);
  await query(
    store.url,
    'ALTER TABLE journal DISABLE TRIGGER USER',
    // The time of these events: long ago.
    `UPDATE journal SET event_ids = (
       SELECT array_agg(CASE WHEN last_sequence - 20 + place <= 6
         THEN ('01900000' || substr(id::text, 9))::uuid ELSE id END ORDER BY place)
       FROM unnest(event_ids) WITH ORDINALITY AS event (id, place)
     ) WHERE last_sequence = 20`,
    `INSERT INTO journal SELECT tenant, 6, kind, event_ids[:6] FROM journal WHERE last_sequence = 20`,
    `UPDATE journal SET event_ids = event_ids[7:] WHERE last_sequence = 20`,
  );
  expect(await compare()).toEqual([]);
});

test('of a stream that drops the oldest messages, only those after its first one are expected', async () => {
  await manager.streams.update('CHARGES', { max_msgs: 8, discard: 'old' });
  await waitFor('the limit', async () => (await manager.streams.info('CHARGES')).state.messages === 8);
  expect(await compare()).toEqual([]);
  await manager.streams.deleteMessage('CHARGES', 15, false);
  expect(await compare()).toEqual([missing(15n, 15n)]);
});

test('foreign messages and doubled events are named by ranges', async () => {
  const [first] = await readStream(nats.url);
  const publish = async (subject: string, entries: Record<string, string>) => {
    const message = headers();
    for (const [name, value] of Object.entries(entries)) message.set(name, value);
    await jetstream(connection).publish(subject, first?.payload ?? '', { headers: message });
  };
  const isCondition = (name: string): boolean => name.startsWith('Nats-Expected');
  const copied = Object.fromEntries(
    Object.entries(first?.headers ?? {}).filter(([name]) => !isCondition(name)),
  );
  const { 'ce-source': source = '', 'ce-id': id = '' } = copied;
  await waitFor('NATS to forget', async () => {
    await publish('charge.created', copied);
    return (await manager.streams.info('CHARGES')).state.messages > 20;
  });
  await publish('charge.created', {});
  await publish('charge.voided', {
    'ce-source': source,
    'ce-id': id,
    'ce-sequence': '999',
    'Nats-Msg-Id': 'a',
  });
  await publish('charge.created', {
    'ce-source': source,
    'ce-id': 'b',
    'ce-sequence': '3',
    'Nats-Msg-Id': 'b',
  });
  await publish('charge.something', {});
  await publish('charge.created', { 'ce-source': '/charge.v1.ChargeService/tenants/other', 'ce-id': 'c' });
  const findings = [
    { kind: 'foreign', first: 22n, last: 24n },
    { kind: 'doubled', first: 1n, last: 1n },
    { kind: 'foreign', first: 26n, last: 26n },
  ];
  expect(await compare()).toEqual(findings);
  expect(await compare(true)).toEqual(findings);
});

test('a NATS that is not there is a finding, not a failure', async () => {
  const away = [{ kind: 'unreadable', detail: expect.stringContaining('cannot connect') }];
  expect(await compare(false, 'nats://127.0.0.1:1')).toEqual(away);
  const comparison = createStreamComparison(CONFIG, () => undefined);
  const findings: StreamFinding[] = [];
  await comparison(forTenant(store.database.em, TENANT), {
    tenant: TENANT,
    repair: true,
    repairing: () => Promise.reject(new Error('there is nothing to repair')),
    signal: new AbortController().signal,
    progress: () => undefined,
    found: (finding) => void findings.push(finding),
    compared: () => undefined,
  });
  expect(findings).toMatchObject([{ kind: 'unreadable' }]);
});
