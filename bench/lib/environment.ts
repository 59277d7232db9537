/** PostgreSQL and nats-server of a run, started in a temporary directory unless the data of PostgreSQL is to be kept. */

import { chmodSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';

import { findNatsServer } from '../../src/embedded/nats-binary.ts';
import { startEmbeddedNats } from '../../src/embedded/nats-server.ts';
import { startEmbeddedPostgres } from '../../src/embedded/postgres.ts';
import type { Logger } from '../../src/embedded/process.ts';
import { migrate } from '../../src/database/migrate.ts';

/** The top of the checkout. */
export const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** Holds downloaded programs and the virtual environment of the Django peer. Git ignores it. */
export const CACHE_DIR = join(ROOT, '.cache');

/**
 * Added to the settings of the embedded default. A checkpoint or an autovacuum in the round of only one
 * contender would spoil the comparison, so the bench runs both itself, between rounds.
 */
const POSTGRES_SETTINGS = {
  checkpoint_timeout: '1h',
  max_wal_size: '16GB',
  autovacuum: 'off',
  maintenance_work_mem: '1GB',
};

const TEMPLATE = 'bench_template';

/** The servers that every scenario uses. */
export interface Environment {
  readonly directory: string;
  readonly postgres: { readonly pid: number; readonly url: string };
  readonly nats: { readonly pid: number; readonly url: string; readonly version: string };
  /** Makes a database with the service's tables, or a copy of the database `template`; returns its URL. */
  createDatabase(name: string, template?: string): Promise<string>;
  /** The URL of a database that exists; undefined: it does not. */
  findDatabase(name: string): Promise<string | undefined>;
  dropDatabase(name: string): Promise<void>;
}

const silent: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: (details, message) => console.error(message, details),
};

/** Starts both servers; they are stopped with the stack. `keptDir` keeps the data of PostgreSQL. */
export async function openEnvironment(
  stack: AsyncDisposableStack,
  keptDir: string | undefined,
): Promise<Environment> {
  const directory = mkdtempSync(join(realpathSync(tmpdir()), 'charge-bench-'));
  stack.defer(() => rmSync(directory, { recursive: true, force: true, maxRetries: 10 }));
  // PostgreSQL does not run as root; its own user must be able to enter the directory.
  chmodSync(directory, 0o711);
  const binary = await findNatsServer({ cacheDir: CACHE_DIR, logger: silent });
  const postgres = await startEmbeddedPostgres({
    dataDir: keptDir ?? directory,
    logger: silent,
    settings: POSTGRES_SETTINGS,
  });
  stack.defer(() => postgres.stop());
  const nats = await startEmbeddedNats({
    dataDir: directory,
    logger: silent,
    binary,
    fileStoreBytesMax: 32 * 1024 ** 3,
  });
  stack.defer(() => nats.stop());
  await createTemplate(postgres.url);
  return {
    directory,
    postgres,
    nats,
    createDatabase: async (name, template = TEMPLATE) => {
      await runSql(
        postgres.url,
        `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`,
        `CREATE DATABASE ${name} TEMPLATE ${template} STRATEGY ${template === TEMPLATE ? 'WAL_LOG' : 'FILE_COPY'}`,
      );
      return urlOf(postgres.url, name);
    },
    findDatabase: (name) =>
      withClient(postgres.url, async (client) => {
        const { rowCount } = await client.query('SELECT FROM pg_database WHERE datname = $1', [name]);
        return rowCount === 1 ? urlOf(postgres.url, name) : undefined;
      }),
    dropDatabase: (name) => runSql(postgres.url, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`),
  };
}

async function createTemplate(adminUrl: string): Promise<void> {
  await runSql(adminUrl, `DROP DATABASE IF EXISTS ${TEMPLATE}`, `CREATE DATABASE ${TEMPLATE}`);
  await migrate(urlOf(adminUrl, TEMPLATE), { lockTimeoutMs: 60_000 });
}

function urlOf(adminUrl: string, name: string): string {
  const url = new URL(adminUrl);
  url.pathname = `/${name}`;
  return url.href;
}

/** Runs statements one after another. */
export function runSql(databaseUrl: string, ...statements: string[]): Promise<void> {
  return withClient(databaseUrl, async (client) => {
    for (const statement of statements) await client.query(statement);
  });
}

/** Works with a connection of its own. */
export async function withClient<T>(
  databaseUrl: string,
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const client = new pg.Client({ connectionString: databaseUrl, connectionTimeoutMillis: 5_000 });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
