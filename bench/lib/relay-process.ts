/** The production relay alone in a process: publishes a backlog that is already there, once per message from its parent. */

import { createRelay } from '../../src/relay/open-relay.ts';
import { chargeEntities } from '../../src/charges/entity.ts';
import { journalEntities } from '../../src/journal/entity.ts';
import { relayEntities } from '../../src/relay/entity.ts';
import { openDatabase } from '../../src/database/orm.ts';
import type { LoadMessage, LoadResult } from './load/jobs.ts';

const [databaseUrl = '', natsUrl = ''] = process.argv.slice(2);
const DRAIN_TIMEOUT_MS = 600_000;
const CONFIG = { eventFormat: 'protobuf', eventMaxAgeMs: 30 * 24 * 3_600_000, streamReplicas: 1 } as const;

async function run(): Promise<LoadResult> {
  const database = await openDatabase({
    databaseUrl,
    poolSizeMax: 6,
    entities: [...chargeEntities, ...journalEntities, ...relayEntities],
    statementTimeoutMs: 30_000,
    connectTimeoutMs: 5_000,
    applicationName: 'bench relay',
  });
  const leads = Promise.withResolvers<void>();
  let published = 0;
  let failed = 0;
  const startedAtMs = performance.now();
  const relay = createRelay(CONFIG, database.em, natsUrl, {
    connected: () => undefined,
    leading: (leading) => leading && leads.resolve(),
    published: (events) => (published += events),
    deadLetter: () => failed++,
    failed: (error) => console.error('relay:', error),
  });
  relay.start();
  await leads.promise;
  // The relay looks at the backlog itself; asking it rarely keeps the question cheap.
  if (!(await relay.drain(DRAIN_TIMEOUT_MS))) failed++;
  const seconds = (performance.now() - startedAtMs) / 1000;
  await relay.stop();
  await database.close();
  return {
    ok: published,
    failed,
    rows: published,
    seconds,
    p50Ms: undefined,
    p99Ms: undefined,
    maxMs: undefined,
  };
}

process.on('message', () => {
  const send = (message: LoadMessage): void => void process.send?.(message);
  run().then(
    (result) => send({ type: 'result', result }),
    (error: unknown) => send({ type: 'error', message: String(error) }),
  );
});
process.on('SIGINT', () => undefined);
process.on('disconnect', () => process.exit(0));
process.send?.({ type: 'ready' });
