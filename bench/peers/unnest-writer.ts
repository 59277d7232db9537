/**
 * Peer: a bare writer, close to what PostgreSQL takes from Node at all. Two connections, each with
 * one INSERT … SELECT unnest(), … of 500 rows after the other; the same rows, table and indexes,
 * the same binary arrays; no call, no validation, no journal. With a broker to publish to, it also
 * publishes an event for every row once its group is committed, in the relay's way: the least that
 * announcing each row takes.
 */

import pg from 'pg';

import { DEFAULT_TENANT } from '../../src/charges/charge.ts';
import type { LoadMessage, LoadResult } from '../lib/load/jobs.ts';
import { Latencies } from '../lib/load/latencies.ts';
import { newChargeSource } from '../lib/new-charges.ts';
import { COLUMNS } from '../lib/write-statement.ts';
import { RawPublisher } from '../lib/raw-publisher.ts';

const INSERT = `
INSERT INTO charge (tenant, ${COLUMNS.names})
SELECT $1::text, ${COLUMNS.selectList(2)}`;

/** Groups whose events may be on their way while more are written. */
const UNPUBLISHED_GROUPS_MAX = 8;

const [databaseUrl = '', size = '', natsUrl, stream = ''] = process.argv.slice(2);
const groupSize = Number(size);
const publisher = natsUrl === undefined ? undefined : await RawPublisher.open(natsUrl, stream, groupSize);

async function run(job: { seconds: number; connections: number }): Promise<LoadResult> {
  const latencies = new Latencies();
  const clients = Array.from(
    { length: job.connections },
    () => new pg.Client({ connectionString: databaseUrl }),
  );
  await Promise.all(clients.map((client) => client.connect()));
  const next = newChargeSource();
  let rows = 0;
  const published: Promise<void>[] = [];
  const startedAtMs = performance.now();
  const write = async (client: pg.Client): Promise<void> => {
    while (performance.now() < startedAtMs + job.seconds * 1000) {
      const groupStartedAtMs = performance.now();
      const charges = next(groupSize);
      const values = [DEFAULT_TENANT, ...COLUMNS.parameters(charges)];
      await client.query({ name: 'bare_insert', text: INSERT, values });
      rows += charges.length;
      latencies.add(performance.now() - groupStartedAtMs);
      if (publisher === undefined) continue;
      published.push(publisher.publish(1));
      await published.at(-UNPUBLISHED_GROUPS_MAX);
    }
  };
  try {
    await Promise.all(clients.map(write));
    await Promise.all(published);
  } finally {
    await Promise.all(clients.map((client) => client.end()));
  }
  const { p50Ms, p99Ms, maxMs } = latencies.summary() ?? {};
  return {
    ok: rows / groupSize,
    failed: publisher?.failed ?? 0,
    rows,
    seconds: (performance.now() - startedAtMs) / 1000,
    p50Ms,
    p99Ms,
    maxMs,
  };
}

process.on('message', (job: Parameters<typeof run>[0]) => {
  const send = (message: LoadMessage): void => void process.send?.(message);
  run(job).then(
    (result) => send({ type: 'result', result }),
    (error: unknown) => send({ type: 'error', message: String(error) }),
  );
});
process.on('SIGINT', () => undefined);
process.on('disconnect', () => process.exit(0));
process.send?.({ type: 'ready' });
