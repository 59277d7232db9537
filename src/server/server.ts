/** A gRPC server on the store: the composition root of a server process, and of tests. */

import type { Config } from '../config.ts';
import type { ChargeEvent } from '../charges/charge.ts';
import type { Logger } from '../observability/logger.ts';
import type { ServerMetrics } from '../observability/server-metrics.ts';
import type { RpcLimits } from '../grpc/dependencies.ts';
import { EVENTS_HEALTH_SERVICE, HEALTH_SERVICES } from '../grpc/health.ts';
import { createRpcServer } from '../grpc/server.ts';
import { chargeEntities } from '../charges/entity.ts';
import { ChargeEventReader } from '../charges/store/charge-events.ts';
import { JournalFollower } from '../journal/follower.ts';
import { journalEntities } from '../journal/entity.ts';
import { createChargeReader } from '../charges/store/charge-reader.ts';
import { GroupWriter } from '../charges/store/group-writer.ts';
import { openDatabase } from '../database/orm.ts';
import { Reads } from '../database/reads.ts';
import { watchDatabase } from './database-watch.ts';

/** What the server is given from outside. */
export interface ServerOptions {
  readonly databaseUrl: string;
  readonly logger: Logger;
  readonly metrics: ServerMetrics;
  /** Whether charges can be recorded changed. */
  serving(serving: boolean): void;
  /** These charges were committed together: events of one tenant's journal, in order. */
  committed(events: readonly ChargeEvent[]): void;
}

/** An open server. */
export interface OpenServer {
  /**
   * Starts to listen and resolves with the port. Rejects when the address is taken. `shared`: other
   * processes of this service listen on the same address.
   */
  listen(options?: { readonly shared: boolean }): Promise<number>;
  /** Tells whether events reach NATS; shown by the health service under `EVENTS_HEALTH_SERVICE`. */
  relayConnected(connected: boolean): void;
  /** Refuses what is new, finishes what is in hand within `timeoutMs`, and closes everything. */
  drain(timeoutMs: number): Promise<void>;
}

const RETRY_AFTER_MS = 250;
const STATEMENT_TIMEOUT_MS = 30_000;
/** Charges that wait for a writer, beyond which calls are refused … */
const WRITE_QUEUE_MAX = 50_000;
/** … and what record streams have in hand together, which they may add to it: half of it leaves calls the rest. */
const RECORD_ITEMS_MAX = WRITE_QUEUE_MAX / 2;
/** Reads of one process; writers have their own connections. */
const READ_CONNECTIONS = 8;

/** Opens the store and puts the border on it; `listen()` opens the door. */
export async function openServer(
  config: Pick<Config, 'listen' | 'writers' | 'inFlightCallsMax' | 'streamsMax'>,
  options: ServerOptions,
): Promise<OpenServer> {
  const { logger, metrics } = options;
  const connection = {
    databaseUrl: options.databaseUrl,
    entities: [...chargeEntities, ...journalEntities],
    statementTimeoutMs: STATEMENT_TIMEOUT_MS,
    connectTimeoutMs: 5_000,
    applicationName: 'charge-service server',
  };
  const database = await openDatabase({ ...connection, poolSizeMax: READ_CONNECTIONS, pipelining: true });
  // One connection for each group that is written at once, so that no number of reads can delay writes.
  const writes = await openDatabase({ ...connection, poolSizeMax: config.writers });
  // Every watch of this process waits for its answers, so it must not wait for a connection after their reads.
  const polls = await openDatabase({ ...connection, poolSizeMax: 1, statementTimeoutMs: 5_000 });
  const reads = new Reads(database, RETRY_AFTER_MS);
  const follower = new JournalFollower(polls, { pollMs: 100 });
  const recorder = new GroupWriter(
    writes,
    {
      writers: config.writers,
      groupSizeMax: 500,
      queueSizeMax: WRITE_QUEUE_MAX,
      retryForMs: 5_000,
      retryAfterMs: RETRY_AFTER_MS,
    },
    {
      committed: (events) => {
        const last = events.at(-1);
        if (last !== undefined) follower.advanced(last.tenant, last.sequence);
        options.committed(events);
      },
      attempted: metrics.writeAttempted,
    },
  );
  const reader = createChargeReader(reads);
  const rpc = createRpcServer({
    recorder,
    reader,
    journal: new ChargeEventReader(reads, follower),
    logger,
    metrics: metrics.rpc,
    limits: rpcLimits(config),
  });
  metrics.watchLoad(rpc.load, () => recorder.queuedCharges);
  // Over the connections of the writers: slow reads do not keep a charge from being recorded.
  const watch = watchDatabase(writes.pool, { periodMs: 1_000, timeoutMs: 3_000 }, (available) => {
    for (const service of HEALTH_SERVICES) rpc.setServing(service, available);
    options.serving(available);
    if (!available) logger.warn({}, 'PostgreSQL does not answer: charges cannot be recorded');
  });
  rpc.setServing(EVENTS_HEALTH_SERVICE, false);

  return {
    listen: async ({ shared } = { shared: false }) => {
      await watch.first;
      return rpc.bind(config.listen, { shared });
    },
    relayConnected: (connected) => rpc.setServing(EVENTS_HEALTH_SERVICE, connected),
    drain: async (timeoutMs) => {
      watch.stop();
      try {
        await rpc.drain(timeoutMs);
      } finally {
        follower.close();
        await Promise.all([writes.close(), polls.close(), database.close()]);
      }
    },
  };
}

/** The limits that docs/architecture.md explains and the contract sets; README lists what can be changed. */
function rpcLimits(config: Pick<Config, 'inFlightCallsMax' | 'streamsMax'>): RpcLimits {
  return {
    inFlightCallsMax: config.inFlightCallsMax,
    streamsMax: config.streamsMax,
    heldBytesMax: 256 * 1024 * 1024,
    unaryMessageBytesMax: 1024 * 1024,
    batchMessageBytesMax: 4 * 1024 * 1024,
    recordStreamItemsMax: 1_000,
    recordItemsMax: RECORD_ITEMS_MAX,
    deadlineMaxMs: 30_000,
    retryAfterMs: RETRY_AFTER_MS,
    connectionStreamsMax: 1_000,
    connectionAgeMaxMs: 60 * 60_000,
    connectionAgeGraceMs: 30_000,
    connectionIdleMaxMs: 15 * 60_000,
    keepaliveTimeMs: 60_000,
    keepaliveTimeoutMs: 20_000,
  };
}
