/** The service itself as a contender. */

import { STREAM_NAME } from '../../src/relay/open-relay.ts';
import { type Counts, countJournal, countMessages, drained } from './audit.ts';
import { contender, openDatabase } from './contender.ts';
import { type Access, type Body, CONNECTIONS, type Job } from './load/jobs.ts';
import { describeWrites, readWriteTotals } from './metrics.ts';
import type { Contender, Context } from './scenario.ts';
import { type Service, startService } from './service.ts';

/** What the service is asked to do. */
export type Shape =
  | {
      readonly kind: 'unary';
      readonly body: Body;
      readonly inFlight: number;
      readonly connections?: number;
      readonly access?: Access;
    }
  | { readonly kind: 'record'; readonly streams: number; readonly window: number };

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
 * if charges, journal and stream all grew by what was answered OK, and so did `more`.
 */
export function serviceContender(
  context: Context,
  name: string,
  service: Service,
  shape: Shape,
  more: () => Promise<Counts> = () => Promise.resolve({}),
): Contender {
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
      ...(await more()),
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
