/** A gRPC server on the store: the composition root of a server process, and of tests. */

import type { Config } from '../config.ts';
import { DEFAULT_TENANT, type JournalEntry } from '../charges/charge.ts';
import type { Logger } from '../observability/logger.ts';
import type { ServerMetrics } from '../observability/server-metrics.ts';
import { RecordWindow } from '../charges/rpc/record-window.ts';
import { chargeService } from '../charges/rpc/service.ts';
import { readContractImage } from '../grpc/contract-image.ts';
import { DEFAULT_RPC_LIMITS } from '../grpc/limits.ts';
import { createRpcServer } from '../grpc/server.ts';
import { ContractRules } from '../grpc/validation.ts';
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
  /** Tells whether events reach NATS; the health service shows it as `charge.v1.events`. */
  relayConnected(connected: boolean): void;
  /** Refuses what is new, finishes what is in hand within `timeoutMs`, and closes everything. */
  drain(timeoutMs: number): Promise<void>;
}

/** The name under which the health service says whether events reach NATS. */
const EVENTS_SERVICE = 'charge.v1.events';

const RETRY_AFTER_MS = DEFAULT_RPC_LIMITS.retryAfterMs;
const STATEMENT_TIMEOUT_MS = 30_000;
/** Charges that wait for a writer; above it, calls are refused. Record streams have a limit of their own. */
const WRITE_QUEUE_MAX = 50_000;
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
  const image = readContractImage();
  const recordWindow = new RecordWindow();
  const { inFlightCallsMax, streamsMax } = config;
  const rpc = createRpcServer({
    services: [
      chargeService({
        recorder,
        reader,
        book,
        metrics: metrics.rpc,
        rules: new ContractRules(image),
        recordWindow,
      }),
    ],
    image,
    logger,
    metrics: metrics.rpc,
    limits: { ...DEFAULT_RPC_LIMITS, inFlightCallsMax, streamsMax },
    // Until there are credentials, every caller is the one tenant.
    tenantOf: () => DEFAULT_TENANT,
  });
  metrics.watchLoad(rpc.load, {
    queuedCharges: () => recorder.queuedCharges,
    recordBytes: () => recordWindow.bytes,
  });
  // Over the connections of the writers: slow reads do not keep a charge from being recorded.
  const watch = watchDatabase(writePool, { periodMs: 1_000, timeoutMs: 3_000 }, (available) => {
    for (const service of ['', 'charge.v1.ChargeService']) rpc.setServing(service, available);
    options.serving(available);
    if (!available) logger.warn({}, 'PostgreSQL does not answer: charges cannot be recorded');
  });
  rpc.setServing(EVENTS_SERVICE, false);

  return {
    listen: async ({ shared } = { shared: false }) => {
      await watch.first;
      return rpc.bind(config.listen, { shared });
    },
    relayConnected: (connected) => rpc.setServing(EVENTS_SERVICE, connected),
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
