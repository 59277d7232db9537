/** What a server process keeps in PostgreSQL: opens the connections and puts the parts of the features on them. */

import {
  type JournalEvent,
  ChargeEventReader,
  CorrectionWriter,
  countCorrections,
  countResults,
  createChargeReader,
  createUnpricedUsageReader,
  GroupWriter,
  keepForgetting,
  Repricer,
  UserProfileEraser,
  WriteProbe,
} from '../charges/index.ts';
import { databaseFault } from '../database/database-fault.ts';
import type { Database } from '../database/orm.ts';
import { ReadConnections } from '../database/read-connections.ts';
import { DEFAULT_RPC_LIMITS } from '../grpc/limits.ts';
import { JournalFollower } from '../journal/index.ts';
import type { Logger } from '../observability/logger.ts';
import { onceAMinute } from '../observability/once-a-minute.ts';
import type { ServerMetrics } from '../observability/server-metrics.ts';
import { createPriceReader, PriceBooks, PriceWriter } from '../prices/index.ts';
import {
  Administration,
  createApiKeyStore,
  createAuditLogReader,
  createTenantStore,
  createUserProfileReader,
  DEFAULT_TENANT,
  KnownTenants,
  type UnknownUserProfilesOf,
  UserProfileWriter,
} from '../tenants/index.ts';
import {
  createReconciler,
  createUsageReader,
  keptSums,
  type Reconciler,
  type StreamCheck,
} from '../usage/index.ts';
import { type Connections, openConnections, poolsOf } from './connections.ts';
import { WriteWatch } from './write-watch.ts';

const PROBING = { periodMs: 1_000, rehearsalPeriodMs: 30_000, answerMs: 5_000, failingMs: 1_000 };

/** Charges that wait for a writer; above it, calls are refused. Record streams have a limit of their own. */
const WRITE_QUEUE_MAX = 50_000;
/** How long a write is tried again while PostgreSQL is away. */
const RETRY_FOR_MS = 5_000;
/** Corrections that wait; above it, calls are refused. */
const CORRECTION_QUEUE_MAX = 10_000;

/** What the store is given from outside. */
export interface StoreOptions {
  readonly databaseUrl: string;
  readonly logger: Logger;
  readonly metrics: ServerMetrics;
  /** These events of one tenant's journal were committed together, in order. */
  committed(events: readonly JournalEvent[]): void;
  /** For Reconcile. */
  readonly streamCheck: StreamCheck;
}

/** Opens the connections and builds the store on them. */
export async function openStore(writers: number, options: StoreOptions) {
  const { retryAfterMs } = DEFAULT_RPC_LIMITS;
  const connections = await openConnections(writers, options.databaseUrl);
  const { database, writes, polls, corrections, comparisons, access } = connections;
  const refused = logRefusedReads(options.logger);
  const reads = new ReadConnections(database, retryAfterMs, refused);
  const everyTenant = new ReadConnections(access, retryAfterMs, refused);
  const tenants = new KnownTenants(access, everyTenant);
  const follower = new JournalFollower(polls, { pollMs: 100 });
  // Over the connections of the writers: a probe meets what a charge would meet.
  const watch = new WriteWatch(new WriteProbe(writes, DEFAULT_TENANT, PROBING.answerMs), PROBING);
  const prices = new PriceBooks(database.em, (_, version) => options.metrics.pricesLoaded(version));
  const committed = (events: readonly JournalEvent[]): void => {
    const last = events.at(-1);
    if (last !== undefined) follower.advanced(last.tenant, last.sequence);
    watch.committed();
    options.committed(events);
  };
  const { recorder, corrector } = createWriters(connections, prices, writers, {
    metrics: options.metrics,
    watch,
    unknownUserProfilesOf: (tenant) => tenants.unknownUserProfilesOf(tenant),
    committed,
  });
  const retry = { retryForMs: RETRY_FOR_MS, retryAfterMs };
  const stopForgetting = keepForgetting(access);
  return {
    /** What ChargeService works on. */
    charges: {
      recorder,
      corrector,
      reader: createChargeReader(reads, prices),
      journal: new ChargeEventReader(reads, follower),
    },
    /** What PriceService works on. */
    prices: {
      // Over the connections of reads: it waits for the lock of the tenant, and writers must not. Two calls at a time.
      recorder: new PriceWriter(database, prices, retry),
      reader: createPriceReader(reads, prices),
      repricer: new Repricer(corrections, prices, retry, { committed }),
      unpricedUsage: createUnpricedUsageReader(reads),
    },
    /** What UsageService works on. */
    usage: {
      reader: createUsageReader(reads),
      reconciler: openReconciler(comparisons, options.streamCheck),
    },
    /** What UserProfileService works on. */
    userProfiles: {
      reader: createUserProfileReader(reads),
      // Over the connections of reads, as prices are.
      writer: new UserProfileWriter(database, retry),
      eraser: new UserProfileEraser(corrections, { ...retry, sums: keptSums, committed }),
    },
    /** What TenantService works on. */
    administration: openAdministration(new Administration(database, retry), reads, everyTenant, tenants),
    /** The tenants that calls are made for. */
    tenants,
    /** What else credentials are checked against. Its sessions see every tenant. */
    access: connections.access,
    watch,
    queuedCharges: () => recorder.queuedCharges,
    pools: poolsOf(connections),
    close: async () => {
      stopForgetting();
      follower.close();
      tenants.close();
      await Promise.all(Object.values(connections).map((pool) => pool.close()));
    },
  };
}

/** What the write paths tell, and ask. */
interface WritersOptions extends Pick<StoreOptions, 'metrics' | 'committed'> {
  readonly watch: WriteWatch;
  readonly unknownUserProfilesOf: UnknownUserProfilesOf;
}

function createWriters(
  { writes, corrections }: Pick<Connections, 'writes' | 'corrections'>,
  prices: PriceBooks,
  writers: number,
  { metrics, watch, unknownUserProfilesOf, committed }: WritersOptions,
) {
  const { retryAfterMs } = DEFAULT_RPC_LIMITS;
  const recorder = new GroupWriter(
    writes,
    prices,
    {
      writers,
      groupSizeMax: 500,
      queueSizeMax: WRITE_QUEUE_MAX,
      retryForMs: RETRY_FOR_MS,
      retryAfterMs,
      unknownUserProfilesOf,
    },
    {
      committed,
      recorded: (results) => countResults(metrics.charges, results),
      attempted: (charges, seconds, error) => {
        if (error !== undefined) watch.failed(error, seconds);
        metrics.writeAttempted(charges, seconds, error);
      },
    },
  );
  const corrector = new CorrectionWriter(
    corrections,
    prices,
    {
      groupSizeMax: 100,
      queueSizeMax: CORRECTION_QUEUE_MAX,
      retryForMs: RETRY_FOR_MS,
      retryAfterMs,
      unknownUserProfilesOf,
    },
    {
      committed: (events) => {
        countCorrections(metrics.charges, events);
        committed(events);
      },
    },
  );
  return { recorder, corrector };
}

function openAdministration(
  administration: Administration,
  reads: ReadConnections,
  everyTenant: ReadConnections,
  tenants: KnownTenants,
) {
  return {
    tenants: createTenantStore(administration, everyTenant, () => tenants.refresh()),
    apiKeys: createApiKeyStore(administration, reads),
    auditLog: createAuditLogReader(reads),
  };
}

function openReconciler(comparisons: Database, stream: StreamCheck): Reconciler {
  const { retryAfterMs } = DEFAULT_RPC_LIMITS;
  const connections = new ReadConnections(comparisons, retryAfterMs);
  return createReconciler(comparisons, connections, { retryAfterMs, stream });
}

/** One line a minute for each problem, however many reads meet it. */
function logRefusedReads(logger: Logger): (error: unknown) => void {
  const mayLog = onceAMinute();
  return (error) => {
    const { problem, detail } = databaseFault(error);
    if (mayLog(problem)) logger.error({ reason: detail }, `charges cannot be read: PostgreSQL: ${problem}`);
  };
}
