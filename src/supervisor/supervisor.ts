/**
 * The process that people start. It owns the embedded servers, the migrations, the relay and the HTTP port.
 * The gRPC servers are processes of their own, so that publishing takes no time from them and any number of
 * them can share the port.
 */

import { Registry } from 'prom-client';

import { chargeEntities } from '../charges/index.ts';
import { type Address, type Config, formatAddress } from '../config.ts';
import { type Database, openDatabase } from '../database/orm.ts';
import { StartError } from '../errors/start-error.ts';
import { type HttpServer, openHttpServer, type Readiness } from '../http/server.ts';
import { journalEntities } from '../journal/index.ts';
import type { Logger } from '../observability/logger.ts';
import { createCertificateMetrics } from '../observability/certificate-metrics.ts';
import { createRelayMetrics } from '../observability/relay-metrics.ts';
import { metricsOfAll } from '../observability/scrape.ts';
import { createSupervisorMetrics } from '../observability/supervisor-metrics.ts';
import { createUsageMetrics } from '../observability/usage-metrics.ts';
import {
  createRelay,
  type Relay,
  readOldestUnpublishedMs,
  readUnpublished,
  relayEntities,
} from '../relay/index.ts';
import { credentialFaults } from '../tenants/index.ts';
import { hostOf, readCertificate, type ServedTls, type TlsFiles } from '../tls/certificate.ts';
import { watchCertificate } from '../tls/certificate-watch.ts';
import { UsageFollower, usageEntities } from '../usage/index.ts';
import { observeCertificate } from './certificate-status.ts';
import { openExternalServices } from './external-services.ts';
import { migrateWhenReachable } from './migrate-when-reachable.ts';
import { readinessOf } from './readiness.ts';
import { writeReadyMessage } from './ready-message.ts';
import { observeRelay, type UnpublishedWatch, watchUnpublished } from './relay-status.ts';
import { reserveAddresses } from './reserve-addresses.ts';
import { ServerPool } from './server-pool.ts';
import { observeUsage } from './usage-status.ts';

/** A running service. */
export interface Service {
  readonly grpc: Address;
  readonly http: Address;
  /** Ends everything in order. Resolves when nothing of it runs any more. */
  stop(): Promise<void>;
}

/** For glibc. By default, a server process kept 270 MB that it had freed after a flood of large batches. */
const SERVER_MALLOC = { MALLOC_ARENA_MAX: '2', MALLOC_MMAP_THRESHOLD_: '131072' };
/** How often the files of the certificate are read. */
const CERTIFICATE_PERIOD_MS = 2_000;
/** Sums follow the journal in few large steps: small ones cost two to three times as much for each charge. */
const FOLLOWING = { periodMs: 500, stepEventsMax: 50_000, lagMaxMs: 4_000 };
/** The least time that the relay gets to publish during a stop, even if calls in progress have used up the drain time. */
const RELAY_DRAIN_MIN_MS = 2_000;

/**
 * Starts everything and resolves when the service is complete. It accepts charges earlier, while nats-server
 * is still being downloaded. Rejects if a part does not start or `stopping` is aborted; whatever was opened is
 * closed then. Calls `onFatal` if a part of the complete service can never work again.
 */
export async function startService(
  config: Config,
  logger: Logger,
  onFatal: (reason: string) => void,
  stopping: AbortSignal,
): Promise<Service> {
  const stack = new AsyncDisposableStack();
  try {
    return await start(config, logger, stack, onFatal, stopping);
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
}

async function start(
  config: Config,
  logger: Logger,
  stack: AsyncDisposableStack,
  onFatal: (reason: string) => void,
  stopping: AbortSignal,
): Promise<Service> {
  const startedAtMs = performance.now();
  const faults = credentialFaults(config.credentials);
  if (faults.length > 0) throw new StartError(faults.join('; '));
  const tls = config.tls && openTls(config.tls);
  const reserved = await reserveAddresses({ LISTEN: config.listen, METRICS_LISTEN: config.metricsListen });
  stack.defer(() => reserved.release());
  const external = await openExternalServices(config, logger, stack, stopping);
  const database = await openOwnDatabase(external.databaseUrl);
  stack.defer(() => database.close());
  const postgresql = await migrateWhenReachable(external, logger, stopping);
  await reserved.release();
  const grpc = reserved.addresses.LISTEN;
  let relay: Relay | undefined;
  const registry = new Registry();
  const relayMetrics = createRelayMetrics(registry);
  const observed = observeRelay(relayMetrics, logger, (publishing) => pool.relayPublishing(publishing));
  const pool = new ServerPool({
    processes: config.processes,
    env: {
      CHARGE_SERVER_DATABASE_URL: external.databaseUrl,
      // Clients reach a server process. It must not know the login that owns the tables.
      MIGRATION_DATABASE_URL: '',
      LISTEN: formatAddress(grpc),
      ...SERVER_MALLOC,
    },
    logger,
    certificate: tls?.certificate,
    committed: (events) => relay?.committed(events),
    servingChanged: (serving) => logger.debug({ serving }, 'server processes that accept charges'),
    failed: onFatal,
  });
  followUsage(database, registry, logger, stack);
  const unpublished = watchUnpublished(relayMetrics, () => readUnpublished(database.em));
  stack.defer(() => unpublished.stop());
  const readiness = () => readinessOf(pool, config.processes, observed.status, unpublished.latest());
  showMetrics(registry, database, readiness);
  const metrics = metricsOfAll(registry, logger);
  const http = await openHttpServer(
    reserved.addresses.METRICS_LISTEN,
    { metrics, readiness },
    tls?.certificate,
  );
  stack.defer(() => http.close());
  followCertificate(tls, registry, logger, stack, [pool, http]);

  stack.defer(() => pool.drain(config.drainTimeoutMs));
  await unlessStopped(pool.start(), stopping);
  void external.natsUrl.then(
    (url) => {
      if (stack.disposed) return;
      pool.natsStarted(url);
      const started = createRelay(config, database.em, url, observed.events);
      stack.defer(() => started.stop());
      started.start();
      relay = started;
    },
    // Only a stop ends the attempts to start one.
    () => undefined,
  );
  const natsUrl = await unlessStopped(external.firstNatsUrl, stopping);
  const addresses = { grpc, http: http.address };
  writeReadyMessage(logger, { ...addresses, config, tls, external, postgresql, natsUrl, startedAtMs });
  const running = { pool, relay: () => relay, unpublished, stack };
  return { ...addresses, stop: () => stop(config, logger, running) };
}

function openOwnDatabase(databaseUrl: string): Promise<Database> {
  return openDatabase({
    databaseUrl,
    poolSizeMax: 6,
    entities: [...chargeEntities, ...journalEntities, ...relayEntities, ...usageEntities],
    statementTimeoutMs: 30_000,
    connectTimeoutMs: 5_000,
    applicationName: 'charge-service supervisor',
    everyTenant: true,
  });
}

/** The configuration was checked, but the files may have been replaced since then. */
function openTls(files: TlsFiles): ServedTls {
  const { certificate, faults } = readCertificate(files);
  if (certificate === undefined) throw new StartError(faults.join('; '));
  return { files, certificate, host: hostOf(certificate) };
}

function followCertificate(
  tls: ServedTls | undefined,
  registry: Registry,
  logger: Logger,
  stack: AsyncDisposableStack,
  servers: readonly Pick<HttpServer, 'setCertificate'>[],
): void {
  const metrics = createCertificateMetrics(registry);
  if (tls === undefined) return;
  const { files, certificate } = tls;
  const events = observeCertificate(certificate, metrics, logger, (next) => {
    for (const server of servers) server.setCertificate(next);
  });
  stack.defer(watchCertificate(files, certificate, CERTIFICATE_PERIOD_MS, events));
}

function followUsage(
  database: Database,
  registry: Registry,
  logger: Logger,
  stack: AsyncDisposableStack,
): void {
  const events = observeUsage(createUsageMetrics(registry), logger);
  const follower = new UsageFollower(database, FOLLOWING, events);
  stack.defer(() => follower.stop());
  follower.start();
}

function showMetrics(registry: Registry, database: Database, readiness: () => Readiness): void {
  createSupervisorMetrics(registry, {
    ready: () => readiness().ready,
    oldestEventMs: () => readOldestUnpublishedMs(database.em),
    pool: database.pool,
  });
}

/** Rejects as soon as `stopping` is aborted: downloading nats-server, for one, may take minutes. */
function unlessStopped<T>(work: Promise<T>, stopping: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = (): void => reject(new Error('stopped before it was complete'));
    if (stopping.aborted) stop();
    stopping.addEventListener('abort', stop, { once: true });
    work.then(resolve, reject);
  });
}

/** What a stop needs of a running service. */
interface Running {
  readonly pool: ServerPool;
  readonly relay: () => Relay | undefined;
  readonly unpublished: UnpublishedWatch;
  readonly stack: AsyncDisposableStack;
}

/** Calls in progress finish first, then their events are published; then everything closes in reverse order. */
async function stop(
  config: Config,
  logger: Logger,
  { pool, relay, unpublished, stack }: Running,
): Promise<void> {
  const startedAt = performance.now();
  logger.info({}, 'stopping: finishing calls in progress');
  try {
    await pool.drain(config.drainTimeoutMs);
    const leftMs = config.drainTimeoutMs - (performance.now() - startedAt);
    await relay()?.drain(Math.max(leftMs, RELAY_DRAIN_MIN_MS));
    const left = await unpublished.read();
    if (left === undefined || left.waiting > 0) {
      const eventsWaiting = left?.waiting ?? 'unknown';
      logger.warn(
        { eventsWaiting },
        'events are not published yet; the next start, or another replica, does it',
      );
    }
  } finally {
    await stack.disposeAsync();
  }
  logger.info({ durationMs: Math.round(performance.now() - startedAt) }, 'stopped');
}
