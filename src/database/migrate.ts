/** Brings the database to this version's schema. Any number of starting replicas may race. */

import { setTimeout as delay } from 'node:timers/promises';

import type { MigrationObject } from '@mikro-orm/core';
import type { Pool, PoolClient } from 'pg';

import { checkServer } from './check-server.ts';
import { NETWORK_GRACE_MS } from './driver.ts';
import { migrations } from './migrations/index.ts';
import { type Database, type DatabaseOptions, openDatabase } from './orm.ts';
import { processIdOf } from './pooler.ts';
import { prepareServiceRole } from './service-role.ts';

/** Arbitrary, but the same for every version of this service: it names the lock. */
const MIGRATION_LOCK = 7_216_335_041;
/** An index on a billion charges takes hours. */
const STATEMENT_TIMEOUT_MS = 24 * 60 * 60_000;
const CONNECT_TIMEOUT_MS = 5_000;
const APPLICATION_NAME = 'charge-service migrations';
/** How long a terminated backend is waited for, and how soon the next attempt to terminate the rest is made. */
const TERMINATE_TIMEOUT_MS = 5_000;
const TERMINATE_PERIOD_MS = 100;

/** Bounds of a migration. They differ from those of the service's own statements. */
export interface MigrateOptions {
  /** How long to wait for a lock: until other replicas have migrated, or until a table is free. */
  readonly lockTimeoutMs: number;
  /** How long one statement may run; a day by default. */
  readonly statementTimeoutMs?: number;
  /** This version's migrations by default. */
  readonly migrations?: readonly MigrationObject[];
  /** Gives the migration up: what is not committed is rolled back, what is committed stays. */
  readonly signal?: AbortSignal;
}

/**
 * Applies what is missing, in order, each migration in a transaction. Replicas wait for each other
 * on an advisory lock. Returns the names of what this call applied. Throws if the database cannot be
 * reached or used (see {@link checkServer}), a lock does not become free in time, or a migration fails. A
 * later start tries again. After `options.signal` is aborted, it throws the signal's reason within some
 * seconds: as soon as PostgreSQL has ended every statement of this call. It does not wait for a PostgreSQL
 * that does not answer or has no connection left.
 */
export async function migrate(databaseUrl: string, options: MigrateOptions): Promise<string[]> {
  const { signal, ...bounds } = options;
  const database = await openForMigrations(databaseUrl, {
    // One for the lock, one for the statements.
    poolSizeMax: 2,
    statementTimeoutMs: STATEMENT_TIMEOUT_MS,
    migrations,
    ...bounds,
  });
  const clients = watchClients(database.pool);
  let settled = false;
  let ending: Promise<void> | undefined;
  const end = (): void => {
    ending = endBackends(databaseUrl, clients, () => settled);
  };
  signal?.addEventListener('abort', end, { once: true });
  try {
    signal?.throwIfAborted();
    const applied = await applyMissing(database, options);
    signal?.throwIfAborted();
    return applied;
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  } finally {
    settled = true;
    signal?.removeEventListener('abort', end);
    await ending;
    // The lock ends with its connection. If a ROLLBACK failed, MikroORM never gives its connection back,
    // and the pool would wait for it for ever.
    drop(clients.inUse);
    await database.close();
  }
}

function openForMigrations(
  databaseUrl: string,
  bounds: Pick<DatabaseOptions, 'poolSizeMax' | 'statementTimeoutMs' | 'migrations'>,
): Promise<Database> {
  return openDatabase({
    databaseUrl,
    entities: [],
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
    applicationName: APPLICATION_NAME,
    everyTenant: true,
    asLoginRole: true,
    ...bounds,
  });
}

async function applyMissing(database: Database, options: MigrateOptions): Promise<string[]> {
  const client = await database.pool.connect();
  await checkServer(
    client,
    (options.migrations ?? migrations).map(({ name }) => name),
  );
  const lock = {
    text: 'SELECT pg_advisory_lock($1)',
    values: [MIGRATION_LOCK],
    query_timeout: options.lockTimeoutMs + NETWORK_GRACE_MS,
  };
  await client.query(lock);
  const schema = await schemaOf(client);
  const { config } = database.orm;
  // For MikroORM's own table, which it looks for before it reads the options of up().
  config.set('migrations', { ...config.get('migrations'), schema });
  const applied = await database.orm.migrator.up({ schema });
  await prepareServiceRole(client, applied.length > 0);
  return applied.map((migration) => migration.name);
}

/**
 * The schema that has the tables, or shall have them, by the search path. MikroORM would look for its own table in
 * `public`. One that exists wins: a schema that is added to the search path later must not hide every charge.
 */
async function schemaOf(client: PoolClient): Promise<string> {
  const { rows } = await client.query<{ path: string; schema: string | null }>(
    `SELECT current_setting('search_path') AS path, coalesce(
       (SELECT nspname FROM pg_namespace JOIN pg_class ON relnamespace = pg_namespace.oid
        WHERE pg_class.oid = to_regclass('journal_head')),
       current_schema()) AS schema`,
  );
  const [row] = rows;
  if (row?.schema) return row.schema;
  throw new Error(
    `the search_path ${JSON.stringify(row?.path)} names no schema that exists and may be used: create the schema, or ` +
      'name another one with options=-c%20search_path%3Dname in the URL',
  );
}

/** The connections of a pool, and those of them that somebody has. */
interface Clients {
  readonly open: ReadonlySet<PoolClient>;
  readonly inUse: ReadonlySet<PoolClient>;
}

function watchClients(pool: Pool): Clients {
  const open = new Set<PoolClient>();
  const inUse = new Set<PoolClient>();
  pool.on('connect', (client) => open.add(client));
  pool.on('remove', (client) => open.delete(client));
  pool.on('acquire', (client) => inUse.add(client));
  pool.on('release', (_error, client) => inUse.delete(client));
  return { open, inUse };
}

/**
 * Closing a connection does not end its statement: PostgreSQL notices only when it has an answer. So the
 * backends are terminated over another connection, again and again until `settled`, because MikroORM may
 * just be opening a connection or taking one from the pool.
 */
async function endBackends(databaseUrl: string, clients: Clients, settled: () => boolean): Promise<void> {
  while (!settled()) {
    const terminated = await terminate(databaseUrl, [...clients.open].map(processIdOf)).catch(() => 0);
    // PostgreSQL does not answer, or a pooler in front of it has ids of its own.
    if (terminated === 0) drop(clients.inUse);
    await delay(TERMINATE_PERIOD_MS);
  }
}

/** Resolves to how many of the backends there still were. They are gone then, or do not react. */
async function terminate(databaseUrl: string, processIds: readonly number[]): Promise<number> {
  const database = await openForMigrations(databaseUrl, {
    poolSizeMax: 1,
    statementTimeoutMs: TERMINATE_TIMEOUT_MS,
  });
  try {
    // By now, an id alone could belong to somebody else's backend, or to a pooler's.
    const { rowCount } = await database.pool.query(
      `SELECT pg_terminate_backend(pid, $2) FROM pg_stat_activity
       WHERE pid = ANY ($1) AND pid <> pg_backend_pid()
         AND datname = current_database() AND usename = current_user`,
      [processIds, TERMINATE_TIMEOUT_MS],
    );
    return rowCount ?? 0;
  } finally {
    await database.close();
  }
}

function drop(clients: Iterable<PoolClient>): void {
  for (const client of clients) client.release(true);
}
