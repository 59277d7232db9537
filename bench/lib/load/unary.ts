/** Unary calls, a fixed number in flight. */

import type { JobResult } from '../child-main.ts';
import { unaryBodies } from './bodies.ts';
import { type CallEnd, GrpcConnection } from './grpc-connection.ts';
import type { UnaryJob } from './jobs.ts';
import { Latencies } from './latencies.ts';

/** A created charge is returned with at least its id and times. */
const RESPONSE_BYTES_PER_ROW_MIN = 80;
/** After so many failures the job ends: a server that refuses is not called as fast as it can refuse. */
const FAILURES_MAX = 1000;

const METHODS = {
  empty: 'CreateCharge',
  create: 'CreateCharge',
  batch: 'BatchCreateCharges',
  void: 'VoidCharge',
} as const;

/** Runs the job. Every response must hold exactly one message, with content if the request had some. */
export async function runUnary(job: UnaryJob): Promise<JobResult> {
  const method = METHODS[job.body.kind];
  const connections = await Promise.all(
    Array.from({ length: job.connections }, () =>
      GrpcConnection.open(job.address, `/charge.v1.ChargeService/${method}`, job.access),
    ),
  );
  try {
    return await callAll(job, connections);
  } finally {
    for (const connection of connections) connection.close();
  }
}

async function callAll(job: UnaryJob, connections: readonly GrpcConnection[]): Promise<JobResult> {
  const bodies = unaryBodies(job.body);
  const latencies = new Latencies();
  const done = Promise.withResolvers<void>();
  const startedAtMs = performance.now();
  const stopAtMs = startedAtMs + job.seconds * 1000;
  let ok = 0;
  let failed = 0;
  let inFlight = 0;
  const isOk = ({ status, messages, messageBytes }: CallEnd): boolean =>
    status === 0 && messages === 1 && messageBytes >= bodies.rows * RESPONSE_BYTES_PER_ROW_MIN;
  // Calls that follow an answer wait until the connection has read all that arrived, and leave in one write.
  const call = (connection: GrpcConnection): void => {
    const callStartedAtMs = performance.now();
    inFlight++;
    connection.call(bodies.next(), (end) => {
      inFlight--;
      const now = performance.now();
      if (isOk(end)) {
        ok++;
        latencies.add(now - callStartedAtMs);
      } else {
        failed++;
      }
      if (now < stopAtMs && !connection.lost && failed < FAILURES_MAX) call(connection);
      else if (inFlight === 0) done.resolve();
    });
  };
  for (let index = 0; index < job.inFlight; index++) {
    const connection = connections[index % connections.length];
    if (connection !== undefined) call(connection);
  }
  for (const connection of connections) connection.flush();
  await done.promise;
  const seconds = (performance.now() - startedAtMs) / 1000;
  return { ok, failed, rows: ok * bodies.rows, seconds, ...latencies.summary() };
}
