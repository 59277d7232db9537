/** Contenders that several scenarios share. */

import { fileURLToPath } from 'node:url';

import { STREAM_NAME } from '../../src/relay/open-relay.ts';
import { Auditor, expectGrowth } from './audit.ts';
import { forkChild } from './child.ts';
import { expectAllOk } from './load/client.ts';
import type { Body, Job } from './load/jobs.ts';
import { metered } from './meter.ts';
import { describeWrites, readWriteTotals } from './metrics.ts';
import type { Contender, Context } from './scenario.ts';
import { type Service, startService } from './service.ts';

/** Connections that the calls in flight are spread over. */
export const CONNECTIONS = 4;

/** A job without what only the contender knows. */
export type JobShape =
  | { readonly kind: 'unary'; readonly body: Body; readonly inFlight: number; readonly connections?: number }
  | { readonly kind: 'record'; readonly streams: number; readonly window: number };

/** Starts a service on a database of its own; it stops, and the database goes, with the scenario. */
export async function openService(
  context: Context,
  name: string,
  env: Readonly<Record<string, string>> = {},
): Promise<Service> {
  const { environment, stack } = context;
  const databaseUrl = await environment.createDatabase(name);
  stack.defer(() => environment.dropDatabase(name));
  const service = await startService(environment, { databaseUrl, env });
  stack.defer(() => service.stop());
  return service;
}

/**
 * The service under a job. Its round ends when every event of the round is acknowledged by
 * JetStream, and counts only if charges, journal, book and stream all grew by what was answered OK.
 * Without `published` it ends with the last answer: for a service that has no broker.
 */
export function serviceContender(
  context: Context,
  name: string,
  service: Service,
  shape: JobShape,
  { published = true }: { readonly published?: boolean } = {},
): Contender {
  const { environment, load } = context;
  const stream = published ? STREAM_NAME : undefined;
  const auditor = new Auditor(service.databaseUrl, environment.nats.url, stream);
  return {
    name,
    settle: () => auditor.vacuum(),
    measure: async (seconds) => {
      const before = await auditor.count();
      const writesBefore = await readWriteTotals(service);
      const parties = { server: service.serverPids(), relay: service.pid, client: load.pid };
      const { result, cpuSeconds } = await metered(environment, parties, async () => {
        const answered = await load.run(jobOf(shape, service.address, seconds));
        const answeredAtMs = performance.now();
        if (published) await auditor.drained();
        return { ...answered, drainSeconds: (performance.now() - answeredAtMs) / 1000 };
      });
      expectAllOk(name, result);
      expectGrowth(name, before, await auditor.count(), result.rows, [
        'charges',
        'journal',
        'head',
        ...(published ? (['messages'] as const) : []),
      ]);
      // Of the last round; it explains the figures more often than not.
      context.report(`${name}.writes`, describeWrites(writesBefore, await readWriteTotals(service)));
      const { drainSeconds, p50Ms, p99Ms } = result;
      return {
        count: result.rows,
        seconds: result.seconds + drainSeconds,
        drainSeconds,
        p50Ms,
        p99Ms,
        cpuSeconds,
      };
    },
  };
}

function jobOf(shape: JobShape, address: string, seconds: number): Job {
  if (shape.kind === 'record') return { ...shape, address, seconds };
  const method = shape.body.kind === 'batch' ? 'BatchCreateCharges' : 'CreateCharge';
  return { ...shape, connections: shape.connections ?? CONNECTIONS, method, address, seconds };
}

/** The empty unary call on grpc-js: what the transport alone can do. */
export async function emptyCallContender(context: Context, inFlight: number): Promise<Contender> {
  const { environment, load } = context;
  const peer = await openEmptyCallPeer(context);
  return {
    name: 'empty_call',
    measure: async (seconds) => {
      const { result, cpuSeconds } = await metered(
        environment,
        { server: [peer.pid], client: load.pid },
        () =>
          load.run({
            kind: 'unary',
            address: peer.address,
            method: 'CreateCharge',
            body: { kind: 'empty' },
            inFlight,
            connections: Math.min(CONNECTIONS, inFlight),
            seconds,
          }),
      );
      expectAllOk('empty_call', result);
      return {
        count: result.ok,
        seconds: result.seconds,
        p50Ms: result.p50Ms,
        p99Ms: result.p99Ms,
        cpuSeconds,
      };
    },
  };
}

/** Starts the peer; it stops with the scenario. */
export async function openEmptyCallPeer(
  context: Context,
): Promise<{ readonly pid: number; readonly address: string }> {
  const child = await forkChild<{ readonly address: string }>(peerFile('empty-call.ts'));
  context.stack.defer(() => child.stop());
  return { pid: child.pid, address: child.ready.address };
}

/** The naive gRPC service under the same job as the service. */
export async function naiveContender(context: Context, inFlight: number): Promise<Contender> {
  const { environment, load, stack } = context;
  const databaseUrl = await environment.createDatabase('naive');
  stack.defer(() => environment.dropDatabase('naive'));
  const child = await forkChild<{ readonly address: string; readonly stream: string }>(
    peerFile('naive-service.ts'),
    [databaseUrl, environment.nats.url],
  );
  stack.defer(() => child.stop());
  const auditor = new Auditor(databaseUrl, environment.nats.url, child.ready.stream);
  return {
    name: 'naive',
    settle: () => auditor.vacuum(),
    measure: async (seconds) => {
      const before = await auditor.count();
      const job = jobOf({ kind: 'unary', body: { kind: 'create' }, inFlight }, child.ready.address, seconds);
      const { result, cpuSeconds } = await metered(
        environment,
        { server: [child.pid], client: load.pid },
        () => load.run(job),
      );
      expectAllOk('naive', result);
      expectGrowth('naive', before, await auditor.count(), result.rows, ['charges', 'messages']);
      return {
        count: result.rows,
        seconds: result.seconds,
        p50Ms: result.p50Ms,
        p99Ms: result.p99Ms,
        cpuSeconds,
      };
    },
  };
}

/** A program in `bench/peers`. */
export function peerFile(name: string): string {
  return fileURLToPath(new URL(`../peers/${name}`, import.meta.url));
}
