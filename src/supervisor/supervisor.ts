/**
 * The process that people start. It owns the embedded servers, the migrations, the relay and the
 * HTTP side; the gRPC servers are processes of their own, so that publishing takes nothing from
 * them and any number of them can share the port.
 */

import { setTimeout as delay } from 'node:timers/promises';
import { AggregatorRegistry, collectDefaultMetrics, Registry } from 'prom-client';

import { type Address, type Config, formatAddress } from '../config.ts';
import { errorText } from '../errors/describe-error.ts';
import { type HttpSources, openHttpServer, type Readiness } from '../http/server.ts';
import { createLogger, type Logger } from '../observability/logger.ts';
import { observeRelay, type RelayStatus, watchBacklog } from '../observability/relay-metrics.ts';
import { createRelay } from '../relay/open-relay.ts';
import type { Relay } from '../relay/relay.ts';
import { migrate } from '../database/migrate.ts';
import { openDatabase } from '../database/orm.ts';
import { journalEntities } from '../journal/entity.ts';
import { chargeEntities } from '../charges/entity.ts';
import { relayEntities } from '../relay/entity.ts';
import { classifySqlError } from '../database/sql-errors.ts';
import { readBacklogSize } from '../relay/store/relay-state.ts';
import { announce } from './announce.ts';
import { openBacking } from './external-services.ts';
import { findFreeAddress } from './free-address.ts';
import { ServerPool } from './server-pool.ts';

/** A running service. */
export interface Service {
  readonly grpc: Address;
  readonly http: Address;
  /** Ends everything in order; resolves when nothing of it runs any more. */
  stop(): Promise<void>;
}

/** For PostgreSQL to answer, and for every lock; what a migration does may take longer. */
const MIGRATION_TIMEOUT_MS = 60_000;
/** What the relay gets of the drain when the calls in hand have used it up. */
const RELAY_DRAIN_MIN_MS = 2_000;

/**
 * Starts everything and resolves when the service is complete; charges are accepted before that,
 * while nats-server is still being fetched. Rejects when a part does not start or `stopping` is
 * aborted; whatever was opened is closed then.
 */
export async function startService(
  config: Config,
  onFatal: (reason: string) => void,
  stopping: AbortSignal,
): Promise<Service> {
  const logger = createLogger(config.logLevel, 'charge-service');
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
  // Addresses that are taken are said before anything is started.
  await findFreeAddress(config.listen, 'LISTEN');
  await findFreeAddress(config.metricsListen, 'METRICS_LISTEN');
  const backing = await openBacking(config, logger, stack, stopping);
  const database = await openDatabase({
    databaseUrl: backing.databaseUrl,
    poolSizeMax: 6,
    entities: [...chargeEntities, ...journalEntities, ...relayEntities],
    statementTimeoutMs: 30_000,
    connectTimeoutMs: 5_000,
    applicationName: 'charge-service supervisor',
  });
  stack.defer(() => database.close());
  await migrateWhenReachable(backing.databaseUrl, logger, stopping);
  // A free port is chosen only now: chosen before, the embedded PostgreSQL once picked the same one.
  const grpc = await findFreeAddress(config.listen, 'LISTEN');

  const registry = new Registry();
  collectDefaultMetrics({ register: registry, prefix: 'supervisor_' });
  let relay: Relay | undefined;
  const observed = observeRelay(registry, logger, (connected) => pool.relayConnected(connected));
  const pool = new ServerPool({
    processes: config.processes,
    env: { CHARGE_SERVER_DATABASE_URL: backing.databaseUrl, LISTEN: formatAddress(grpc) },
    logger,
    committed: (events) => relay?.committed(events),
    servingChanged: (serving) => logger.debug({ serving }, 'server processes that accept charges'),
    failed: onFatal,
  });
  const backlog = watchBacklog(registry, () => readBacklogSize(database.em));
  stack.defer(() => backlog.stop());
  const http = await openHttpServer(config.metricsListen, {
    metrics: metricsOfAll(registry, logger),
    readiness: () => readiness(config, pool, observed.status, backlog.size()),
  });
  stack.defer(() => http.close());

  stack.defer(() => pool.drain(config.drainTimeoutMs));
  await unlessStopped(pool.start(), stopping);
  void backing.natsUrl.then(
    (url) => {
      if (stack.disposed) return;
      const started = createRelay(config, database.em, url, observed.events);
      stack.defer(() => started.stop());
      started.start();
      relay = started;
    },
    // Only a stop ends the attempts to have one.
    () => undefined,
  );
  const natsUrl = await unlessStopped(backing.firstNatsUrl, stopping);
  announce(logger, {
    grpc,
    http: http.address,
    databaseUrl: backing.databaseUrl,
    natsUrl,
    startedAtMs,
  });
  return { grpc, http: http.address, stop: () => stop(config, logger, { pool, relay: () => relay, stack }) };
}

/** Rejects when `stopping` is aborted, after whatever runs in PostgreSQL has been ended there. */
async function migrateWhenReachable(
  databaseUrl: string,
  logger: Logger,
  stopping: AbortSignal,
): Promise<void> {
  const giveUpAt = performance.now() + MIGRATION_TIMEOUT_MS;
  for (;;) {
    try {
      const applied = await migrate(databaseUrl, { lockTimeoutMs: MIGRATION_TIMEOUT_MS, signal: stopping });
      if (applied.length > 0) logger.info({ applied }, 'migrated the database');
      return;
    } catch (error) {
      stopping.throwIfAborted();
      if (classifySqlError(error) !== 'retry' || performance.now() > giveUpAt) throw error;
      logger.warn({ reason: errorText(error) }, 'PostgreSQL does not answer yet; trying again');
      await delay(500, undefined, { signal: stopping });
    }
  }
}

/** Fetching nats-server, for one, may take minutes, in which a person may think better of it. */
function unlessStopped<T>(work: Promise<T>, stopping: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = (): void => reject(new Error('stopped before it was complete'));
    if (stopping.aborted) stop();
    stopping.addEventListener('abort', stop, { once: true });
    work.then(resolve, reject);
  });
}

/** The metrics of the server processes, added up, and then this process's own. */
function metricsOfAll(registry: Registry, logger: Logger): HttpSources['metrics'] {
  const aggregator = new AggregatorRegistry();
  return async () => {
    // One process that starts or hangs must not hide the relay's.
    const ofServers = await aggregator.clusterMetrics().catch((error: unknown) => {
      logger.warn({ err: error }, 'the metrics of the server processes are missing');
      return '# The metrics of a server process did not arrive in time.\n';
    });
    return { body: `${ofServers}\n${await registry.metrics()}`, contentType: registry.contentType };
  };
}

/** NATS away does not make the service unready: charges are accepted, and the checks say what waits. */
function readiness(config: Config, pool: ServerPool, relay: RelayStatus, backlog: number): Readiness {
  return {
    ready: pool.serving > 0,
    checks: {
      postgresql: pool.serving > 0 ? 'ok' : 'unavailable',
      nats: relay.connected ? 'ok' : 'unavailable',
      relay: relay.leading ? 'leading' : 'standby',
      events_waiting: backlog,
      server_processes: `${pool.serving} of ${config.processes}`,
    },
  };
}

/** Calls in hand first, then their events; the stack then closes what is left, in reverse order. */
async function stop(
  config: Config,
  logger: Logger,
  { pool, relay, stack }: { pool: ServerPool; relay: () => Relay | undefined; stack: AsyncDisposableStack },
): Promise<void> {
  const startedAt = performance.now();
  logger.info({}, 'stopping: finishing calls in hand');
  try {
    await pool.drain(config.drainTimeoutMs);
    const leftMs = config.drainTimeoutMs - (performance.now() - startedAt);
    const drained = await relay()?.drain(Math.max(leftMs, RELAY_DRAIN_MIN_MS));
    if (drained === false) {
      logger.warn(
        {},
        'some events may not be published yet; the next start, or another replica, publishes them',
      );
    }
  } finally {
    await stack.disposeAsync();
  }
  logger.info({ durationMs: Math.round(performance.now() - startedAt) }, 'stopped');
}
