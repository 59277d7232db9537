/** The peers that the service is compared with; their programs are in `bench/peers`. */

import { countCharges, countJournal, countMessages } from './audit.ts';
import type { Child } from './child.ts';
import { contender, openChild, openDatabase } from './contender.ts';
import { CONNECTIONS } from './load/jobs.ts';
import type { Contender, Context } from './scenario.ts';

/** Starts the peer that sends back the charge that it gets. */
export function openEchoPeer(
  context: Context,
  delayMs = 0,
): Promise<Child<never, { readonly address: string }>> {
  return openChild(context, 'peers/echo-call.ts', [String(delayMs)]);
}

/** The empty unary call on grpc-js: what the transport alone can do. */
export function emptyCallContender(context: Context, inFlight: number): Promise<Contender> {
  return echoContender(context, 'empty_call', 'empty', inFlight);
}

/** The same call with a charge that is decoded and sent back: the least that CreateCharge can cost. */
export function echoCallContender(context: Context, inFlight: number): Promise<Contender> {
  return echoContender(context, 'echo_call', 'create', inFlight);
}

/** The same, answered after 20 ms: calls are in progress as long as those of a service that writes to a database. */
export function delayedEchoCallContender(context: Context, inFlight: number): Promise<Contender> {
  return echoContender(context, 'delayed_echo_call', 'create', inFlight, 20);
}

async function echoContender(
  context: Context,
  name: string,
  body: 'empty' | 'create',
  inFlight: number,
  delayMs = 0,
): Promise<Contender> {
  const { load } = context;
  const peer = await openEchoPeer(context, delayMs);
  const { address } = peer.ready;
  const job = {
    kind: 'unary',
    address,
    body: { kind: body },
    inFlight,
    connections: CONNECTIONS,
  } as const;
  return contender(context, {
    name,
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
  const peer = await openEchoPeer(context);
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
