/** PostgreSQL and NATS: the user's own, or the embedded default. */

import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { lockDataDir } from '../embedded/data-dir.ts';
import { findNatsServer } from '../embedded/nats-binary.ts';
import { type EmbeddedNats, startEmbeddedNats } from '../embedded/nats-server.ts';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../embedded/postgres.ts';
import type { Config } from '../config.ts';
import type { Logger } from '../observability/logger.ts';
import { retryForever } from '../errors/retry-forever.ts';
import { connectionsOfServer } from '../server/pool-sizes.ts';
import { type Supervised, superviseProcess } from './supervised.ts';

/** Programs that the embedded default had to fetch are kept here, whatever DATA_DIR is, if this can be written. */
const CACHE_DIR = fileURLToPath(new URL('../../.cache', import.meta.url));

/** Where PostgreSQL and NATS are. Whatever was opened is on the stack that was passed in. */
export interface ExternalServices {
  readonly databaseUrl: string;
  /** Of the login that migrates; the same as `databaseUrl` if no other one was given. */
  readonly migrationDatabaseUrl: string;
  /** With it, libpq connects to an embedded PostgreSQL. Undefined if there is none. */
  readonly serviceFile: string | undefined;
  readonly natsIsEmbedded: boolean;
  /** Resolves when there is a NATS to connect to, however long that takes. */
  readonly natsUrl: Promise<string>;
  /** Resolves to the same URL, or to undefined if the first attempt to start an embedded nats-server failed. */
  readonly firstNatsUrl: Promise<string | undefined>;
}

/**
 * Locks DATA_DIR and starts what the configuration leaves to the embedded default. Rejects if PostgreSQL does not
 * start, or `stopping` is aborted before it has. Every program that is still starting then ends, at the latest with
 * the stack.
 */
export async function openExternalServices(
  config: Config,
  logger: Logger,
  stack: AsyncDisposableStack,
  stopping: AbortSignal,
): Promise<ExternalServices> {
  const embeds = config.databaseUrl === undefined || config.natsUrl === undefined;
  const dataDir = embeds ? lockOn(stack, config.dataDir) : config.dataDir;
  const nats =
    config.natsUrl === undefined
      ? openEmbeddedNats(dataDir, config.embeddedNatsPort, logger, stack, stopping)
      : { natsUrl: Promise.resolve(config.natsUrl), firstNatsUrl: Promise.resolve(config.natsUrl) };
  const postgres =
    config.databaseUrl === undefined
      ? await openEmbeddedPostgres(config, dataDir, logger, stack, stopping)
      : { url: config.databaseUrl, serviceFile: undefined };
  return {
    ...nats,
    databaseUrl: postgres.url,
    migrationDatabaseUrl: config.migrationDatabaseUrl ?? postgres.url,
    serviceFile: postgres.serviceFile,
    natsIsEmbedded: config.natsUrl === undefined,
  };
}

function lockOn(stack: AsyncDisposableStack, dataDir: string): string {
  const lock = lockDataDir(dataDir);
  stack.defer(() => lock.release());
  return lock.dataDir;
}

/** For the supervisor, for people who connect with psql, and for PostgreSQL's superusers. */
const OTHER_CONNECTIONS = 40;

async function openEmbeddedPostgres(
  { processes, writers, embeddedPostgresPort }: Config,
  dataDir: string,
  logger: Logger,
  stack: AsyncDisposableStack,
  stopping: AbortSignal,
): Promise<EmbeddedPostgres> {
  const connections = OTHER_CONNECTIONS + processes * connectionsOfServer(writers);
  const settings = { max_connections: String(connections) };
  const start = (port: number, signal: AbortSignal) =>
    startEmbeddedPostgres({ dataDir, port: port || embeddedPostgresPort, logger, signal, settings });
  const postgres = await superviseProcess('embedded PostgreSQL', start, logger, stopping);
  stack.defer(() => postgres.stop());
  return postgres.first;
}

const NATS_RETRY_MIN_MS = 10_000;
const NATS_RETRY_MAX_MS = 10 * 60_000;

/** Runs beside the rest of the start: fetching the program may take minutes, and charges need no broker. */
function openEmbeddedNats(
  dataDir: string,
  wantedPort: number,
  logger: Logger,
  stack: AsyncDisposableStack,
  stopping: AbortSignal,
): Pick<ExternalServices, 'natsUrl' | 'firstNatsUrl'> {
  const disposing = new AbortController();
  const signal = AbortSignal.any([stopping, disposing.signal]);
  const firstNatsUrl = Promise.withResolvers<string | undefined>();
  let nats: Supervised<EmbeddedNats> | undefined;
  const attempt = async (): Promise<string> => {
    const binary = await findNatsServer({
      cacheDir: CACHE_DIR,
      otherCacheDir: join(dataDir, 'cache'),
      logger,
      signal,
    });
    const start = (port: number, startSignal: AbortSignal) =>
      startEmbeddedNats({ dataDir, port: port || wantedPort, logger, binary, signal: startSignal });
    nats = await superviseProcess('embedded nats-server', start, logger, signal);
    firstNatsUrl.resolve(nats.first.url);
    return nats.first.url;
  };
  const natsUrl = retryForever(attempt, {
    minTimeout: NATS_RETRY_MIN_MS,
    maxTimeout: NATS_RETRY_MAX_MS,
    unref: true,
    signal,
    onFailedAttempt: ({ error }) => {
      firstNatsUrl.resolve(undefined);
      if (signal.aborted) return;
      logger.error(
        { reason: error.message },
        'no nats-server: charges are accepted, and their events wait in PostgreSQL until there is one',
      );
    },
  });
  // Nobody may be waiting for it when a start ends early.
  natsUrl.catch(() => undefined);
  stack.defer(async () => {
    disposing.abort();
    await natsUrl.catch(() => undefined);
    await nats?.stop();
  });
  return { natsUrl, firstNatsUrl: firstNatsUrl.promise };
}
