/** PostgreSQL and NATS: the user's own, or the embedded default. */

import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { lockDataDir } from '../embedded/data-dir.ts';
import { findNatsServer, NatsServerUnavailableError } from '../embedded/nats-binary.ts';
import { startEmbeddedNats } from '../embedded/nats-server.ts';
import { startEmbeddedPostgres } from '../embedded/postgres.ts';
import type { Config } from '../config.ts';
import type { Logger } from '../observability/logger.ts';
import { superviseProcess } from './supervised.ts';

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

/** Locks DATA_DIR and starts what the configuration leaves to the embedded default. */
export async function openBacking(
  config: Config,
  logger: Logger,
  stack: AsyncDisposableStack,
): Promise<Backing> {
  const embeds = config.databaseUrl === undefined || config.natsUrl === undefined;
  const dataDir = embeds ? lockOn(stack, config.dataDir) : config.dataDir;
  const nats =
    config.natsUrl === undefined ? openEmbeddedNats(dataDir, logger, stack) : givenNats(config.natsUrl);
  return {
    ...nats,
    databaseUrl: config.databaseUrl ?? (await openEmbeddedPostgres(dataDir, logger, stack)),
  };
}

function lockOn(stack: AsyncDisposableStack, dataDir: string): string {
  const lock = lockDataDir(dataDir);
  stack.defer(() => lock.release());
  return lock.dataDir;
}

async function openEmbeddedPostgres(
  dataDir: string,
  logger: Logger,
  stack: AsyncDisposableStack,
): Promise<string> {
  const start = (port: number) => startEmbeddedPostgres({ dataDir, port, logger });
  const postgres = await superviseProcess('embedded PostgreSQL', start, logger);
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
function openEmbeddedNats(dataDir: string, logger: Logger, stack: AsyncDisposableStack): Nats {
  const stopping = new AbortController();
  stack.defer(() => stopping.abort());
  const first = tryEmbeddedNats(dataDir, logger, stack);
  const eventually = async (): Promise<string> => {
    let url = await first;
    for (
      let delayMs = NATS_RETRY_MIN_MS;
      url === undefined;
      delayMs = Math.min(delayMs * 2, NATS_RETRY_MAX_MS)
    ) {
      await delay(delayMs, undefined, { signal: stopping.signal, ref: false });
      url = await tryEmbeddedNats(dataDir, logger, stack);
    }
    return url;
  };
  return { natsUrl: eventually(), firstNatsUrl: first };
}

async function tryEmbeddedNats(
  dataDir: string,
  logger: Logger,
  stack: AsyncDisposableStack,
): Promise<string | undefined> {
  try {
    const binary = await findNatsServer({ cacheDir: CACHE_DIR, logger });
    const start = (port: number) => startEmbeddedNats({ dataDir, port, logger, binary });
    const nats = await superviseProcess('embedded nats-server', start, logger);
    if (stack.disposed) await nats.stop();
    else stack.defer(() => nats.stop());
    return nats.first.url;
  } catch (error) {
    const reason = error instanceof NatsServerUnavailableError ? error.message : String(error);
    logger.error(
      { reason },
      'no nats-server: charges are accepted, and their events wait in PostgreSQL until one is there',
    );
    return undefined;
  }
}
