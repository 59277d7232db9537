/** The service's own relay alone in a process: each job publishes the backlog that the bench has prepared. */

import { chargeEntities } from '../../src/charges/index.ts';
import { openDatabase } from '../../src/database/orm.ts';
import { journalEntities } from '../../src/journal/index.ts';
import { createRelay, relayEntities } from '../../src/relay/index.ts';
import { answerJobs, type JobResult } from '../lib/child-main.ts';

const [databaseUrl = '', natsUrl = ''] = process.argv.slice(2);
const DRAIN_TIMEOUT_MS = 600_000;
const CONFIG = { eventFormat: 'protobuf', eventMaxAgeMs: 30 * 24 * 3_600_000, streamReplicas: 1 } as const;

async function run(): Promise<JobResult> {
  const database = await openDatabase({
    databaseUrl,
    poolSizeMax: 6,
    everyTenant: true,
    entities: [...chargeEntities, ...journalEntities, ...relayEntities],
    statementTimeoutMs: 30_000,
    connectTimeoutMs: 5_000,
    applicationName: 'bench relay',
  });
  const publishes = Promise.withResolvers<void>();
  let published = 0;
  let failed = 0;
  const startedAtMs = performance.now();
  const relay = createRelay(CONFIG, database.em, natsUrl, {
    connected: () => undefined,
    publishing: (state) => state.publishing && publishes.resolve(),
    streamWarning: (warning) => console.error('relay:', warning),
    leading: () => undefined,
    published: (events) => (published += events),
    deadLetter: () => failed++,
    failed: (error) => console.error('relay:', error),
  });
  relay.start();
  await publishes.promise;
  if (!(await relay.drain(DRAIN_TIMEOUT_MS))) failed++;
  const seconds = (performance.now() - startedAtMs) / 1000;
  await relay.stop();
  await database.close();
  return { ok: published, failed, rows: published, seconds };
}

answerJobs(run);
