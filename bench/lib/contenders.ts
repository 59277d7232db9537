/** The contenders of the scenarios: the service and its peers, each with its audit. */

import { STREAM_NAME } from '../../src/relay/open-relay.ts';
import {
  type Counts,
  countCharges,
  countJournal,
  countMessages,
  drained,
  expectGrowth,
  vacuum,
} from './audit.ts';
import { type Child, forkChild } from './child.ts';
import type { JobResult } from './child-main.ts';
import { metered, type Parties } from './cpu.ts';
import type { Body, Job } from './load/jobs.ts';
import { describeWrites, readWriteTotals } from './metrics.ts';
import type { Contender, Context } from './scenario.ts';
import { type Service, startService } from './service.ts';

/** Connections that the calls in flight are spread over. */
export const CONNECTIONS = 4;

/** What the service is asked to do. */
export type Shape =
  | { readonly kind: 'unary'; readonly body: Body; readonly inFlight: number; readonly connections?: number }
  | { readonly kind: 'record'; readonly streams: number; readonly window: number };

/** How a contender does its work. */
export interface Work {
  readonly name: string;
  /** Counted before and after each round: every count must grow by the rows that were answered OK. */
  readonly count?: () => Promise<Counts>;
  /** Vacuumed between rounds. */
  readonly databaseUrl?: string;
  readonly parties: Parties;
  /** Before each round, not measured. */
  readonly prepare?: () => Promise<void>;
  /** One round. The CPU time of a server that only it can see comes with its result. */
  readonly run: (
    seconds: number,
  ) => Promise<JobResult & { readonly drainSeconds?: number; readonly serverCpuSeconds?: number }>;
}

/** A contender whose rounds are metered and audited. */
export function contender({ environment }: Context, work: Work): Contender {
  const { name, databaseUrl, prepare, count = () => Promise.resolve({}) } = work;
  return {
    name,
    ...(databaseUrl !== undefined && { settle: () => vacuum(databaseUrl) }),
    measure: async (seconds) => {
      await prepare?.();
      const before = await count();
      const { result, cpuSeconds } = await metered(environment, work.parties, () => work.run(seconds));
      const { ok, failed, rows, serverCpuSeconds, ...times } = result;
      if (failed > 0) throw new Error(`${name}: ${failed} calls failed, ${ok} were answered OK`);
      if (ok === 0) throw new Error(`${name}: no call was answered`);
      expectGrowth(name, before, await count(), rows);
      return {
        ...times,
        count: rows,
        seconds: times.seconds + (times.drainSeconds ?? 0),
        cpuSeconds: { ...cpuSeconds, server: serverCpuSeconds ?? cpuSeconds.server },
      };
    },
  };
}

/** A database with the service's tables; it is dropped after the scenario. */
export async function openDatabase({ environment, stack }: Context, name: string): Promise<string> {
  const databaseUrl = await environment.createDatabase(name);
  stack.defer(() => environment.dropDatabase(name));
  return databaseUrl;
}

/** Forks a program of the folder `bench`; it is stopped after the scenario. */
export async function openChild<JobOfChild extends object, Ready = object>(
  { stack }: Context,
  name: string,
  args: readonly string[] = [],
): Promise<Child<JobOfChild, Ready>> {
  const child = await forkChild<JobOfChild, Ready>(name, args);
  stack.defer(() => child.stop());
  return child;
}

/** Starts a service, on a database of its own unless one is given; it is stopped after the scenario. */
export async function openService(
  context: Context,
  name: string,
  {
    databaseUrl,
    env,
  }: { readonly databaseUrl?: string; readonly env?: Readonly<Record<string, string>> } = {},
): Promise<Service> {
  const service = await startService(
    context.environment,
    databaseUrl ?? (await openDatabase(context, name)),
    env,
  );
  context.stack.defer(() => service.stop());
  return service;
}

/**
 * The service. Its round ends when JetStream has acknowledged every event of the round, and counts only
 * if charges, journal and stream all grew by what was answered OK.
 */
export function serviceContender(context: Context, name: string, service: Service, shape: Shape): Contender {
  const { load, environment } = context;
  const { databaseUrl, address } = service;
  const job = (seconds: number): Job =>
    shape.kind === 'record'
      ? { ...shape, address, seconds }
      : { connections: CONNECTIONS, ...shape, address, seconds };
  const inner = contender(context, {
    name,
    databaseUrl,
    count: async () => ({
      ...(await countJournal(databaseUrl)),
      ...(await countMessages(environment.nats.url, STREAM_NAME)),
    }),
    parties: { server: service.serverPids(), relay: service.pid, client: load.pid },
    run: async (seconds) => {
      const result = await load.ask(job(seconds));
      const answeredAtMs = performance.now();
      await drained(databaseUrl);
      return { ...result, drainSeconds: (performance.now() - answeredAtMs) / 1000 };
    },
  });
  return {
    ...inner,
    measure: async (seconds) => {
      const before = await readWriteTotals(service);
      const measurement = await inner.measure(seconds);
      // Of the last round. Large groups are cheap: their size explains many a difference.
      context.report(`${name}.writes`, { value: describeWrites(before, await readWriteTotals(service)) });
      return measurement;
    },
  };
}

/** Starts the peer that answers empty calls. */
export function openEmptyCallPeer(context: Context): Promise<Child<never, { readonly address: string }>> {
  return openChild(context, 'peers/empty-call.ts');
}

/** The empty unary call on grpc-js: what the transport alone can do. */
export async function emptyCallContender(context: Context, inFlight: number): Promise<Contender> {
  const { load } = context;
  const peer = await openEmptyCallPeer(context);
  const { address } = peer.ready;
  const job = {
    kind: 'unary',
    address,
    body: { kind: 'empty' },
    inFlight,
    connections: CONNECTIONS,
  } as const;
  return contender(context, {
    name: 'empty_call',
    parties: { server: [peer.pid], client: load.pid },
    run: async (seconds) => {
      const result = await load.ask({ ...job, seconds });
      return { ...result, rows: result.ok };
    },
  });
}

/** The naive gRPC service, under the same load as the service. */
export async function naiveContender(context: Context, inFlight: number): Promise<Contender> {
  const { environment, load } = context;
  const databaseUrl = await openDatabase(context, 'naive');
  const peer = await openChild<never, { readonly address: string; readonly stream: string }>(
    context,
    'peers/naive-service.ts',
    [databaseUrl, environment.nats.url],
  );
  const { address, stream } = peer.ready;
  const job = {
    kind: 'unary',
    address,
    body: { kind: 'create' },
    inFlight,
    connections: CONNECTIONS,
  } as const;
  return contender(context, {
    name: 'naive',
    databaseUrl,
    count: async () => ({
      ...(await countCharges(databaseUrl)),
      ...(await countMessages(environment.nats.url, stream)),
    }),
    parties: { server: [peer.pid], client: load.pid },
    run: (seconds) => load.ask({ ...job, seconds }),
  });
}

/** One caller alone: an empty call, then the service's own statement with a single row. */
export async function singleRowContender(context: Context): Promise<Contender> {
  const { load } = context;
  const databaseUrl = await openDatabase(context, 'single_row');
  const peer = await openEmptyCallPeer(context);
  const { address } = peer.ready;
  return contender(context, {
    name: 'single_row',
    databaseUrl,
    count: () => countJournal(databaseUrl),
    parties: { server: [peer.pid], client: load.pid },
    run: (seconds) => load.ask({ kind: 'call-and-row', address, databaseUrl, seconds }),
  });
}

/**
 * The bare writer: groups of `size` rows over two connections. `published`: it also publishes an event
 * for each row, and a round ends with the acknowledgement of the last one.
 */
export async function unnestContender(
  context: Context,
  size: number,
  published: boolean,
): Promise<Contender> {
  const { environment } = context;
  const name = published ? 'unnest_published' : 'unnest';
  const databaseUrl = await openDatabase(context, name);
  const broker = published ? [environment.nats.url, name] : [];
  const peer = await openChild<{ seconds: number }>(context, 'peers/unnest-writer.ts', [
    databaseUrl,
    String(size),
    ...broker,
  ]);
  return contender(context, {
    name,
    databaseUrl,
    count: async () => ({
      ...(await countCharges(databaseUrl)),
      ...(published && (await countMessages(environment.nats.url, name))),
    }),
    parties: { server: [peer.pid] },
    run: (seconds) => peer.ask({ seconds }),
  });
}
