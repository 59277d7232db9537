/**
 * Peer: a bare writer, close to the most that PostgreSQL takes from Node. Each of two connections sends
 * one INSERT … SELECT unnest(), … of 500 rows after the other: the same rows, table, indexes and binary
 * arrays as the service; no call, no validation, no journal. With a broker it also publishes an event
 * for every row after its group is committed, in the relay's way: the least that announcing takes.
 */

import pg from 'pg';

import { DEFAULT_TENANT } from '../../src/tenants/tenant.ts';
import { answerJobs, type JobResult } from '../lib/child-main.ts';
import { Latencies } from '../lib/load/latencies.ts';
import { newChargeSource } from '../lib/new-charges.ts';
import { RawPublisher } from '../lib/raw-publisher.ts';
import { COLUMNS } from '../lib/write-statement.ts';

const INSERT = `
INSERT INTO charge (tenant, ${COLUMNS.names})
SELECT $1::text, ${COLUMNS.selectList(2)}`;

const CONNECTIONS = 2;
/** Groups whose events may be unacknowledged while more are written. */
const UNPUBLISHED_GROUPS_MAX = 8;

const [databaseUrl = '', size = '', natsUrl, stream = ''] = process.argv.slice(2);
const groupSize = Number(size);
const publisher = natsUrl === undefined ? undefined : await RawPublisher.open(natsUrl, stream, groupSize);

async function run({ seconds }: { seconds: number }): Promise<JobResult> {
  const latencies = new Latencies();
  const clients = Array.from({ length: CONNECTIONS }, () => new pg.Client({ connectionString: databaseUrl }));
  await Promise.all(clients.map((client) => client.connect()));
  const next = newChargeSource();
  let rows = 0;
  const published: Promise<void>[] = [];
  const startedAtMs = performance.now();
  const write = async (client: pg.Client): Promise<void> => {
    while (performance.now() < startedAtMs + seconds * 1000) {
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
  return {
    ok: rows / groupSize,
    failed: publisher?.failed ?? 0,
    rows,
    seconds: (performance.now() - startedAtMs) / 1000,
    ...latencies.summary(),
  };
}

answerJobs(run);
