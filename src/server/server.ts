/** A gRPC server on the database: puts a server process together, for production and for tests. */

import {
  type ChargeEvent,
  chargeEntities,
  ChargeEventReader,
  CorrectionWriter,
  countCorrections,
  countResults,
  createChargeReader,
  createUnpricedUsageReader,
  DEFAULT_TENANT,
  GroupWriter,
  Repricer,
  WriteProbe,
} from '../charges/index.ts';
import { RecordWindow } from '../charges/rpc/record-window.ts';
import { priceMethods } from '../charges/rpc/price-methods.ts';
import { chargeService } from '../charges/rpc/service.ts';
import type { Config } from '../config.ts';
import { type DatabaseFault, databaseFault } from '../database/database-fault.ts';
import { openDatabase } from '../database/orm.ts';
import { ReadConnections } from '../database/read-connections.ts';
import { readContractImage } from '../grpc/contract-image.ts';
import { DEFAULT_RPC_LIMITS } from '../grpc/limits.ts';
import { createRpcServer } from '../grpc/server.ts';
import { ContractRules } from '../grpc/validation.ts';
import { journalEntities, JournalFollower } from '../journal/index.ts';
import type { Logger } from '../observability/logger.ts';
import { createPriceReader, PriceBooks, priceEntities, PriceWriter } from '../prices/index.ts';
import { priceService } from '../prices/rpc/service.ts';
import type { ServerMetrics } from '../observability/server-metrics.ts';
import { WriteWatch } from './write-watch.ts';

/** What the server is given from outside. */
export interface ServerOptions {
  readonly databaseUrl: string;
  readonly logger: Logger;
  readonly metrics: ServerMetrics;
  /** Why charges cannot be recorded, or undefined if they can: at first, and whenever that changes. */
  serving(fault: DatabaseFault | undefined): void;
  /** These events of one tenant's journal were committed together, in order. */
  committed(events: readonly ChargeEvent[]): void;
}

/** An open server. */
export interface OpenServer {
  /**
   * Starts to listen and resolves to the port. Rejects if the address is taken. `shared`: other processes of
   * this service listen on the same address.
   */
  listen(options?: { readonly shared: boolean }): Promise<number>;
  /** Tells whether events reach the stream; the health service shows it as `charge.v1.events`. */
  relayPublishing(publishing: boolean): void;
  /** Refuses new calls, finishes those in progress within `timeoutMs`, and closes everything. */
  drain(timeoutMs: number): Promise<void>;
}

/** The name under which the health service says whether events reach the stream. */
const EVENTS_SERVICE = 'charge.v1.events';

const PROBING = { periodMs: 1_000, rehearsalPeriodMs: 30_000, answerMs: 5_000, failingMs: 1_000 };

const STATEMENT_TIMEOUT_MS = 30_000;
/** Charges that wait for a writer; above it, calls are refused. Record streams have a limit of their own. */
const WRITE_QUEUE_MAX = 50_000;
/** How long a write is tried again while PostgreSQL is away. */
const RETRY_FOR_MS = 5_000;
/** Corrections that wait; above it, calls are refused. */
const CORRECTION_QUEUE_MAX = 10_000;
/** Connections for reads. Each writer has its own connection. */
const READ_CONNECTIONS = 8;

type ServerConfig = Pick<Config, 'listen' | 'writers' | 'inFlightCallsMax' | 'streamsMax'>;

/** Opens the database and builds the server on it. It accepts connections from `listen()` on. */
export async function openServer(config: ServerConfig, options: ServerOptions): Promise<OpenServer> {
  const { logger, metrics } = options;
  const store = await openStore(config, options);
  const { recorder, follower, watch } = store;
  const image = readContractImage();
  const recordWindow = new RecordWindow();
  const { inFlightCallsMax, streamsMax } = config;
  const rules = new ContractRules(image);
  const charges = chargeService({
    recorder,
    corrector: store.corrector,
    reader: createChargeReader(store.reads, store.prices),
    journal: new ChargeEventReader(store.reads, follower),
    metrics: metrics.charges,
    rules,
    recordWindow,
  });
  const priceReader = createPriceReader(store.reads, store.prices);
  const prices = priceService({
    recorder: store.priceRecorder,
    reader: priceReader,
    rules,
    chargeMethods: priceMethods({
      repricer: store.repricer,
      unpricedUsage: createUnpricedUsageReader(store.reads),
      prices: priceReader,
      rules,
    }),
  });
  const rpc = createRpcServer({
    services: [charges, prices],
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
    pools: store.pools,
  });
  const judged = watch.start((fault) => {
    for (const service of ['', charges.name, prices.name]) rpc.setServing(service, fault === undefined);
    options.serving(fault);
  });
  rpc.setServing(EVENTS_SERVICE, false);

  return {
    listen: async ({ shared } = { shared: false }) => {
      await judged;
      return rpc.bind(config.listen, { shared });
    },
    relayPublishing: (publishing) => rpc.setServing(EVENTS_SERVICE, publishing),
    drain: async (timeoutMs) => {
      watch.stop();
      try {
        await rpc.drain(timeoutMs);
      } finally {
        await store.close();
      }
    },
  };
}

/** Four pools, so that nothing waits for a connection that something slow is using. */
async function openStore({ writers }: ServerConfig, options: ServerOptions) {
  const { retryAfterMs } = DEFAULT_RPC_LIMITS;
  const connection = {
    databaseUrl: options.databaseUrl,
    entities: [...chargeEntities, ...journalEntities, ...priceEntities],
    statementTimeoutMs: STATEMENT_TIMEOUT_MS,
    connectTimeoutMs: 5_000,
    applicationName: 'charge-service server',
  };
  const database = await openDatabase({ ...connection, poolSizeMax: READ_CONNECTIONS, pipelining: true });
  // One connection for each group that is written at once, so that no number of reads can delay writes.
  const writes = await openDatabase({ ...connection, poolSizeMax: writers });
  // Every watch of this process waits for its answers, so it must not wait for a connection after their reads.
  const polls = await openDatabase({ ...connection, poolSizeMax: 1, statementTimeoutMs: 5_000 });
  // Not one of the writers': a transaction that waits for the lock of its tenant must not keep charges from being written.
  // One for corrections and one for reprices: each makes one transaction at a time.
  const corrections = await openDatabase({ ...connection, poolSizeMax: 2 });
  const follower = new JournalFollower(polls, { pollMs: 100 });
  // Over the connections of the writers: a probe meets what a charge would meet.
  const watch = new WriteWatch(new WriteProbe(writes, DEFAULT_TENANT, PROBING.answerMs), PROBING);
  const prices = new PriceBooks(database.em, (_, version) => options.metrics.pricesLoaded(version));
  const committed = (events: readonly ChargeEvent[]): void => {
    const last = events.at(-1);
    if (last !== undefined) follower.advanced(last.tenant, last.sequence);
    watch.committed();
    options.committed(events);
  };
  const recorder = new GroupWriter(
    writes,
    prices,
    { writers, groupSizeMax: 500, queueSizeMax: WRITE_QUEUE_MAX, retryForMs: RETRY_FOR_MS, retryAfterMs },
    {
      committed,
      recorded: (results) => countResults(options.metrics.charges, results),
      attempted: (charges, seconds, error) => {
        if (error !== undefined) watch.failed(error, seconds);
        options.metrics.writeAttempted(charges, seconds, error);
      },
    },
  );
  const corrector = new CorrectionWriter(
    corrections,
    prices,
    { groupSizeMax: 100, queueSizeMax: CORRECTION_QUEUE_MAX, retryForMs: RETRY_FOR_MS, retryAfterMs },
    {
      committed: (events) => {
        countCorrections(options.metrics.charges, events);
        committed(events);
      },
    },
  );
  const retry = { retryForMs: RETRY_FOR_MS, retryAfterMs };
  return {
    pools: {
      reads: database.pool,
      writes: writes.pool,
      watches: polls.pool,
      corrections: corrections.pool,
    },
    corrector,
    reads: new ReadConnections(database, retryAfterMs, logRefusedReads(options.logger)),
    follower,
    prices,
    // Over the connections of reads: these wait for the lock of the tenant, and writers must not.
    priceRecorder: new PriceWriter(database, prices, retry),
    repricer: new Repricer(corrections, prices, retry, { committed }),
    recorder,
    watch,
    close: async () => {
      follower.close();
      await Promise.all([writes.close(), corrections.close(), polls.close(), database.close()]);
    },
  };
}

const REFUSED_READS_LOG_MS = 60_000;

/** One line a minute for each problem, however many reads meet it. */
function logRefusedReads(logger: Logger): (error: unknown) => void {
  const loggedAt = new Map<string, number>();
  return (error) => {
    const { problem, detail } = databaseFault(error);
    const now = performance.now();
    if (now - (loggedAt.get(problem) ?? -Infinity) < REFUSED_READS_LOG_MS) return;
    loggedAt.set(problem, now);
    logger.error({ reason: detail }, `charges cannot be read: PostgreSQL: ${problem}`);
  };
}
