/** PostgreSQL and NATS: the user's own, or the embedded default. */

import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { lockDataDir } from '../embedded/data-dir.ts';
import { findNatsServer, NatsServerUnavailableError } from '../embedded/nats-binary.ts';
import { type EmbeddedNats, startEmbeddedNats } from '../embedded/nats-server.ts';
import { startEmbeddedPostgres } from '../embedded/postgres.ts';
import type { Config } from '../config.ts';
import type { Logger } from '../observability/logger.ts';
import { type Supervised, superviseProcess } from './supervised.ts';

/** Programs that the embedded default had to fetch stay in the checkout, whatever DATA_DIR is. */
const CACHE_DIR = fileURLToPath(new URL('../../.cache', import.meta.url));

/** Where PostgreSQL and NATS are. Whatever was opened is on the stack that was passed in. */
export interface Backing {
  readonly databaseUrl: string;
  /** Resolves when there is a NATS to connect to, however long that takes. */
  readonly natsUrl: Promise<string>;
  /** Resolves to the same, or to undefined when the first attempt at an embedded one failed. */
  readonly firstNatsUrl: Promise<string | undefined>;
}

/**
 * Locks DATA_DIR and starts what the configuration leaves to the embedded default. Rejects when PostgreSQL does not
 * start, or `stopping` is aborted before it has; every program that is still starting then ends, at the latest with
 * the stack.
 */
export async function openBacking(
  config: Config,
  logger: Logger,
  stack: AsyncDisposableStack,
  stopping: AbortSignal,
): Promise<Backing> {
  const embeds = config.databaseUrl === undefined || config.natsUrl === undefined;
  const dataDir = embeds ? lockOn(stack, config.dataDir) : config.dataDir;
  const nats =
    config.natsUrl === undefined
      ? openEmbeddedNats(dataDir, logger, stack, stopping)
      : givenNats(config.natsUrl);
  return {
    ...nats,
    databaseUrl: config.databaseUrl ?? (await openEmbeddedPostgres(config, dataDir, logger, stack, stopping)),
  };
}

function lockOn(stack: AsyncDisposableStack, dataDir: string): string {
  const lock = lockDataDir(dataDir);
  stack.defer(() => lock.release());
  return lock.dataDir;
}

/** For the supervisor, for people who look in with psql, and for PostgreSQL's superusers. */
const OTHER_CONNECTIONS = 40;
/** At least what a server process has beside those of its writers (`server/server.ts`). */
const CONNECTIONS_BESIDE_WRITERS = 12;

async function openEmbeddedPostgres(
  { processes, writers }: Config,
  dataDir: string,
  logger: Logger,
  stack: AsyncDisposableStack,
  stopping: AbortSignal,
): Promise<string> {
  const connections = OTHER_CONNECTIONS + processes * (CONNECTIONS_BESIDE_WRITERS + writers);
  const settings = { max_connections: String(connections) };
  const start = (port: number, signal: AbortSignal) =>
    startEmbeddedPostgres({ dataDir, port, logger, signal, settings });
  const postgres = await superviseProcess('embedded PostgreSQL', start, logger, stopping);
  stack.defer(() => postgres.stop());
  return postgres.first.url;
}

type Nats = Pick<Backing, 'natsUrl' | 'firstNatsUrl'>;

function givenNats(url: string): Nats {
  return { natsUrl: Promise.resolve(url), firstNatsUrl: Promise.resolve(url) };
}

const NATS_RETRY_MIN_MS = 10_000;
const NATS_RETRY_MAX_MS = 10 * 60_000;

/** Runs beside the rest of the start: fetching the program may take a minute, and charges need no broker. */
function openEmbeddedNats(
  dataDir: string,
  logger: Logger,
  stack: AsyncDisposableStack,
  stopping: AbortSignal,
): Nats {
  const disposing = new AbortController();
  const signal = AbortSignal.any([stopping, disposing.signal]);
  const first = tryEmbeddedNats(dataDir, logger, signal);
  const eventually = keepTrying(first, () => tryEmbeddedNats(dataDir, logger, signal), signal);
  stack.defer(async () => {
    disposing.abort();
    const nats = await eventually.catch(() => undefined);
    await nats?.stop();
  });
  const natsUrl = eventually.then(({ first: { url } }) => url);
  // A start that ends early asks for it no more.
  natsUrl.catch(() => undefined);
  return {
    natsUrl,
    firstNatsUrl: first.then((nats) => nats?.first.url),
  };
}

/** Resolves to what the first attempt that succeeds brings. Rejects only once `signal` is aborted. */
async function keepTrying<T>(
  first: Promise<T | undefined>,
  attempt: () => Promise<T | undefined>,
  signal: AbortSignal,
): Promise<T> {
  let result = await first;
  for (
    let delayMs = NATS_RETRY_MIN_MS;
    result === undefined;
    delayMs = Math.min(delayMs * 2, NATS_RETRY_MAX_MS)
  ) {
    await delay(delayMs, undefined, { signal, ref: false });
    result = await attempt();
  }
  return result;
}

async function tryEmbeddedNats(
  dataDir: string,
  logger: Logger,
  stopping: AbortSignal,
): Promise<Supervised<EmbeddedNats> | undefined> {
  try {
    const binary = await findNatsServer({ cacheDir: CACHE_DIR, logger, signal: stopping });
    const start = (port: number, signal: AbortSignal) =>
      startEmbeddedNats({ dataDir, port, logger, binary, signal });
    return await superviseProcess('embedded nats-server', start, logger, stopping);
  } catch (error) {
    if (stopping.aborted) return undefined;
    const reason = error instanceof NatsServerUnavailableError ? error.message : String(error);
    logger.error(
      { reason },
      'no nats-server: charges are accepted, and their events wait in PostgreSQL until one is there',
    );
    return undefined;
  }
}
