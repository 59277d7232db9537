/**
 * Peer: what one caller alone would see if the service did not group writes: an empty call, then the
 * service's own statement with a single row as one transaction. It runs in the load process, with the
 * client that also calls the service.
 */

import pg from 'pg';

import { DEFAULT_TENANT } from '../../src/tenants/tenant.ts';
import type { JobResult } from '../lib/child-main.ts';
import { unaryBodies } from '../lib/load/bodies.ts';
import { GrpcConnection } from '../lib/load/grpc-connection.ts';
import type { CallAndRowJob } from '../lib/load/jobs.ts';
import { Latencies } from '../lib/load/latencies.ts';
import { newChargeSource } from '../lib/new-charges.ts';
import { INSERT } from '../lib/write-statement.ts';

/** Runs the job; a latency is that of call and transaction together. */
export async function runCallAndRow(job: CallAndRowJob): Promise<JobResult> {
  const connection = await GrpcConnection.open(job.address, '/charge.v1.ChargeService/CreateCharge');
  const client = new pg.Client({ connectionString: job.databaseUrl });
  await client.connect();
  const latencies = new Latencies();
  const next = newChargeSource();
  const bodies = unaryBodies({ kind: 'empty' });
  const emptyCall = (): Promise<number> =>
    new Promise((resolve) => {
      connection.call(bodies.next(), ({ status }) => resolve(status));
      connection.flush();
    });
  let ok = 0;
  let failed = 0;
  const startedAtMs = performance.now();
  try {
    while (performance.now() < startedAtMs + job.seconds * 1000) {
      const charges = next(1);
      const callStartedAtMs = performance.now();
      const status = await emptyCall();
      const { lastSequence } = await INSERT.run(client, DEFAULT_TENANT, charges, {
        mode: 'expectNew',
        priceVersion: 0,
      });
      latencies.add(performance.now() - callStartedAtMs);
      if (status === 0 && lastSequence !== undefined) ok++;
      else failed++;
    }
  } finally {
    connection.close();
    await client.end();
  }
  return {
    ok,
    failed,
    rows: ok,
    seconds: (performance.now() - startedAtMs) / 1000,
    ...latencies.summary(),
  };
}
