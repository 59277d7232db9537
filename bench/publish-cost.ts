/**
 * What an event costs nats-server and its client, by the way in which it is acknowledged: each by
 * itself, a chain of conditions with one acknowledgement a batch (as the relay does), and the
 * broker's atomic batches. No peer and no ratio: it says why the relay publishes as it does.
 *
 *   node bench/publish-cost.ts
 */

import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { DiscardPolicy, type JetStreamManager, jetstreamManager, StorageType } from '@nats-io/jetstream';
import { connect, createInbox, type MsgHdrs, nanos, type NatsConnection } from '@nats-io/transport-node';

import { startEmbeddedNats } from '../src/embedded/nats-server.ts';
import { findNatsServer } from '../src/embedded/nats-binary.ts';
import { encodeHeaders } from '../src/relay/event-message.ts';
import { ProcessTable } from './lib/cpu.ts';
import { CACHE_DIR } from './lib/environment.ts';
import { spread } from './lib/stats.ts';

const EVENTS = 100_000;
const BATCH = 500;
const ROUNDS = 3;
const STREAM = 'COST';
const PAYLOAD = Buffer.alloc(190, 7);
const WAYS = ['each', 'chain', 'atomic'] as const;
type Way = (typeof WAYS)[number];

const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: console.error };

function conditionOf(way: Way, index: number, previousId: string): string {
  const place = index % BATCH;
  if (way === 'chain') {
    return index === 0 ? 'Nats-Expected-Last-Sequence: 0' : `Nats-Expected-Last-Msg-Id: ${previousId}`;
  }
  if (way === 'each') return `Nats-Expected-Stream: ${STREAM}`;
  const commit = place === BATCH - 1 ? '\r\nNats-Batch-Commit: 1' : '';
  return `Nats-Batch-Id: ${Math.floor(index / BATCH)}\r\nNats-Batch-Sequence: ${place + 1}${commit}`;
}

function headersOf(way: Way): Buffer[] {
  const ids = Array.from({ length: EVENTS }, () => randomUUID());
  return ids.map((id, index) => {
    const message = {
      id,
      tenant: 'default',
      sequence: BigInt(index + 1),
      createTimeMs: Date.now(),
      traceparent: '',
      payload: PAYLOAD,
    };
    return encodeHeaders(message, 'protobuf', conditionOf(way, index, ids[index - 1] ?? ''));
  });
}

async function publish(connection: NatsConnection, way: Way): Promise<void> {
  const headers = headersOf(way);
  const inbox = createInbox();
  let acknowledged = 0;
  let wake: () => void = () => undefined;
  const subscription = connection.subscribe(`${inbox}.*`, {
    callback: (_error, message) => {
      if (message.json<{ error?: object }>().error !== undefined) throw new Error(message.string());
      acknowledged++;
      wake();
    },
  });
  const perBatch = way === 'each' ? BATCH : 1;
  const reached = async (count: number): Promise<void> => {
    while (acknowledged < count) await new Promise<void>((resolve) => (wake = resolve));
  };
  for (const [index, encoded] of headers.entries()) {
    const last = index % BATCH === BATCH - 1;
    connection.publish('cost.event', PAYLOAD, {
      headers: { encode: () => encoded } as unknown as MsgHdrs,
      ...((way === 'each' || last) && { reply: `${inbox}.${index}` }),
    });
    // Two batches in flight, as the relay has them.
    if (last) await reached(((index + 1) / BATCH - 1) * perBatch);
  }
  await reached((EVENTS / BATCH) * perBatch);
  subscription.unsubscribe();
}

async function renewStream(manager: JetStreamManager): Promise<void> {
  await manager.streams.delete(STREAM).catch(() => undefined);
  await manager.streams.add({
    name: STREAM,
    subjects: ['cost.>'],
    storage: StorageType.File,
    discard: DiscardPolicy.New,
    duplicate_window: nanos(120_000),
    allow_atomic: true,
  });
}

const directory = await mkdtemp(join(tmpdir(), 'charge-publish-cost-'));
const binary = await findNatsServer({ cacheDir: CACHE_DIR, logger: silent });
const nats = await startEmbeddedNats({ dataDir: directory, logger: silent, binary });
const connection = await connect({ servers: new URL(nats.url).host });
try {
  const manager = await jetstreamManager(connection);
  const costs = new Map<Way, { broker: number[]; client: number[] }>(
    WAYS.map((way) => [way, { broker: [], client: [] }]),
  );
  for (let round = 0; round < ROUNDS; round++) {
    for (const way of WAYS) {
      await renewStream(manager);
      const look = () => ({ broker: new ProcessTable().cpuSeconds(nats.pid), client: process.cpuUsage() });
      const before = look();
      await publish(connection, way);
      const broker = new ProcessTable().cpuSeconds(nats.pid) - before.broker;
      const { user, system } = process.cpuUsage(before.client);
      const { messages } = (await manager.streams.info(STREAM)).state;
      if (messages !== EVENTS) throw new Error(`${way}: ${messages} of ${EVENTS} events were stored`);
      costs.get(way)?.broker.push((broker / EVENTS) * 1e6);
      costs.get(way)?.client.push((user + system) / EVENTS);
    }
  }
  for (const [way, { broker, client }] of costs) {
    const [server, own] = [spread(broker).median.toFixed(1), spread(client).median.toFixed(1)];
    console.log(`${way.padEnd(8)} nats-server ${server} µs, client ${own} µs an event, encoding included`);
  }
} finally {
  await connection.close();
  await nats.stop();
  await rm(directory, { recursive: true, force: true, maxRetries: 10 });
}
