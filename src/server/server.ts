/** A gRPC server on the store: the composition root of a server process, and of tests. */

import type { Config } from '../config.ts';
import type { JournalEntry } from '../charges/charge.ts';
import type { Logger } from '../observability/logger.ts';
import type { ServerMetrics } from '../observability/server-metrics.ts';
import type { RpcLimits } from '../grpc/dependencies.ts';
import { EVENTS_HEALTH_SERVICE, HEALTH_SERVICES } from '../grpc/health.ts';
import { createRpcServer } from '../grpc/server.ts';
import { BookFollower } from '../journal/follower.ts';
import { createChargeReader } from '../charges/store/charge-reader.ts';
import { openPool } from '../database/connections.ts';
import { GroupWriter } from '../charges/store/group-writer.ts';
import { openDatabase } from '../database/orm.ts';
import { ReadConnections } from '../database/read-connections.ts';
import { watchDatabase } from './database-watch.ts';

/** What the server is given from outside. */
export interface ServerOptions {
  readonly databaseUrl: string;
  readonly logger: Logger;
  readonly metrics: ServerMetrics;
  /** Whether charges can be recorded changed. */
  serving(serving: boolean): void;
  /** These charges were committed together: entries of one tenant's book, in order. */
  committed(entries: readonly JournalEntry[]): void;
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
    durableCommits: true,
    statementTimeoutMs: STATEMENT_TIMEOUT_MS,
    connectTimeoutMs: 5_000,
    applicationName: 'charge-service server',
  };
  const database = await openDatabase({ ...connection, poolSizeMax: READ_CONNECTIONS });
  // One for each group that is written at once, so that no number of reads can hold writes up.
  const writePool = openPool({ ...connection, poolSizeMax: config.writers });
  // Every watch of this process waits for it: it must not wait behind their reads.
  const lookPool = openPool({ ...connection, poolSizeMax: 1, statementTimeoutMs: 5_000 });
  const reads = new ReadConnections(database.pool, RETRY_AFTER_MS);
  const book = new BookFollower(reads, lookPool, { pollMs: 100 });
  const recorder = new GroupWriter(
    writePool,
    {
      writers: config.writers,
      groupSizeMax: 500,
      queueSizeMax: WRITE_QUEUE_MAX,
      retryForMs: 5_000,
      retryAfterMs: RETRY_AFTER_MS,
    },
    {
      committed: (entries) => {
        const last = entries.at(-1);
        if (last !== undefined) book.advanced(last.tenant, last.sequence);
        options.committed(entries);
      },
      attempted: metrics.writeAttempted,
    },
  );
  const reader = createChargeReader(database.orm, reads);
  const rpc = createRpcServer({
    recorder,
    reader,
    book,
    logger,
    metrics: metrics.rpc,
    limits: rpcLimits(config),
  });
  metrics.watchLoad(rpc.load, () => recorder.queuedCharges);
  // Over the connections of the writers: slow reads do not keep a charge from being recorded.
  const watch = watchDatabase(writePool, { periodMs: 1_000, timeoutMs: 3_000 }, (available) => {
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
        book.close();
        await Promise.all([writePool.end(), lookPool.end(), database.close()]);
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
