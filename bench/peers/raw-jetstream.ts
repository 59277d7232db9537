/**
 * Peer: acknowledged publishing to JetStream and nothing else, with the same client library as the
 * relay. One reply inbox, counted acknowledgements, a fixed number outstanding; the same payloads,
 * headers and stream settings as the relay's events, each with a message id of its own.
 */

import { DiscardPolicy, jetstreamManager, RetentionPolicy, StorageType } from '@nats-io/jetstream';
import { connect, createInbox, type MsgHdrs, nanos } from '@nats-io/transport-node';

import { encodeHeaders, eventMessage } from '../../src/relay/event-message.ts';
import type { LoadMessage, LoadResult } from '../lib/load/jobs.ts';
import { newChargeSource } from '../lib/new-charges.ts';
import { RequestIds } from '../lib/request-ids.ts';
import { chargeOf } from '../../src/store/charge-row.ts';

const [natsUrl = ''] = process.argv.slice(2);
const STREAM = 'RAW';
const SUBJECT = 'raw.created';
const EXPECTED_STREAM = `Nats-Expected-Stream: ${STREAM}`;
const WINDOW = 1_000;

const connection = await connect({ servers: new URL(natsUrl).host });
const manager = await jetstreamManager(connection);
const messages = newChargeSource()(4096).map((charge, index) =>
  eventMessage(
    {
      tenant: 'default',
      sequence: BigInt(1_000_000 + index),
      charge: chargeOf(charge),
      traceparent: undefined,
    },
    'protobuf',
  ),
);

async function run({ events }: { events: number }): Promise<LoadResult> {
  await manager.streams.delete(STREAM).catch(() => undefined);
  await manager.streams.add({
    name: STREAM,
    subjects: ['raw.>'],
    storage: StorageType.File,
    retention: RetentionPolicy.Limits,
    discard: DiscardPolicy.New,
    max_age: nanos(30 * 24 * 3_600_000),
    duplicate_window: nanos(120_000),
  });
  const ids = new RequestIds();
  const inbox = createInbox();
  let sent = 0;
  let acknowledged = 0;
  let failed = 0;
  const done = Promise.withResolvers<void>();
  const fill = (): void => {
    while (sent < events && sent - acknowledged - failed < WINDOW) {
      const message = messages[sent % messages.length];
      if (message === undefined) return;
      const headers = encodeHeaders({ ...message, id: ids.next() }, 'protobuf', EXPECTED_STREAM);
      connection.publish(SUBJECT, message.payload, {
        headers: { encode: () => headers } as unknown as MsgHdrs,
        reply: `${inbox}.${sent++}`,
      });
    }
  };
  const subscription = connection.subscribe(`${inbox}.*`, {
    callback: (_error, message) => {
      const { error } = message.json<{ error?: object }>();
      if (error === undefined) acknowledged++;
      else failed++;
      if (acknowledged + failed === events) done.resolve();
      else fill();
    },
  });
  const startedAtMs = performance.now();
  fill();
  await done.promise;
  const seconds = (performance.now() - startedAtMs) / 1000;
  subscription.unsubscribe();
  return {
    ok: acknowledged,
    failed,
    rows: acknowledged,
    seconds,
    p50Ms: undefined,
    p99Ms: undefined,
    maxMs: undefined,
  };
}

process.on('message', (job: { events: number }) => {
  const send = (message: LoadMessage): void => void process.send?.(message);
  run(job).then(
    (result) => send({ type: 'result', result }),
    (error: unknown) => send({ type: 'error', message: String(error) }),
  );
});
process.on('SIGINT', () => undefined);
process.on('disconnect', () => process.exit(0));
process.send?.({ type: 'ready' });
