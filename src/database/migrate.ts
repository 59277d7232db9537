/** Brings the database to this version's schema. Any number of starting replicas may race. */

import { setTimeout as delay } from 'node:timers/promises';

import type { MigrationObject } from '@mikro-orm/core';
import { Client, type Pool, type PoolClient } from 'pg';

import { NETWORK_GRACE_MS } from './connections.ts';
import { type Database, openDatabase } from './orm.ts';

/** Arbitrary, but the same for every version of this service: it names the lock. */
const MIGRATION_LOCK = 7_216_335_041;
/** An index on a billion charges takes hours. */
const STATEMENT_TIMEOUT_MS = 24 * 60 * 60_000;
const CONNECT_TIMEOUT_MS = 5_000;
const APPLICATION_NAME = 'charge-service migrations';
/** How long a terminated backend is waited for, and how soon those that are left are looked for again. */
const TERMINATE_TIMEOUT_MS = 5_000;
const TERMINATE_PERIOD_MS = 100;

/** Bounds of a migration, which are not those of the service's own statements. */
export interface MigrateOptions {
  /** How long to wait for a lock: until other replicas have migrated, or until a table is free. */
  readonly lockTimeoutMs: number;
  /** How long one statement may run; a day by default. */
  readonly statementTimeoutMs?: number;
  /** This version's migrations by default. */
  readonly migrations?: readonly MigrationObject[];
  /** Gives the migration up: what it has begun is rolled back, what it has committed stays. */
  readonly signal?: AbortSignal;
}

/**
 * Applies what is missing, in order, each migration in a transaction. Replicas wait for each other
 * on an advisory lock. Returns the names of what this call applied. Throws when the database cannot be
 * reached, a lock is not to be had in time or a migration fails; a later start tries again. Once
 * `options.signal` is aborted it throws the signal's reason, within some seconds: when PostgreSQL has ended
 * every statement of this call, or does not answer or has no connection left to be asked on.
 */
export async function migrate(databaseUrl: string, options: MigrateOptions): Promise<string[]> {
  const { signal, ...bounds } = options;
  const database = await openDatabase({
    databaseUrl,
    // One for the lock, one for the statements.
    poolSizeMax: 2,
    durableCommits: true,
    statementTimeoutMs: STATEMENT_TIMEOUT_MS,
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
    applicationName: APPLICATION_NAME,
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
    // The lock ends with its connection. Another one is here when its ROLLBACK failed: MikroORM keeps
    // it, and the pool would wait for it for ever.
    drop(clients.inUse);
    await database.close();
  }
}

async function applyMissing(database: Database, options: MigrateOptions): Promise<string[]> {
  const client = await database.pool.connect();
  const lock = {
    text: 'SELECT pg_advisory_lock($1)',
    values: [MIGRATION_LOCK],
    query_timeout: options.lockTimeoutMs + NETWORK_GRACE_MS,
  };
  await client.query(lock);
  const applied = await database.orm.migrator.up();
  return applied.map((migration) => migration.name);
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
 * Closing a connection does not end its statement: PostgreSQL notices only when it has an answer. So the backends
 * are terminated over another connection, until `settled`, as MikroORM may just be opening or taking one.
 */
async function endBackends(databaseUrl: string, clients: Clients, settled: () => boolean): Promise<void> {
  while (!settled()) {
    const terminated = await terminate(databaseUrl, [...clients.open].map(processIdOf)).catch(() => 0);
    // PostgreSQL does not answer, or a pooler in front of it has ids of its own.
    if (terminated === 0) drop(clients.inUse);
    await delay(TERMINATE_PERIOD_MS);
  }
}

/** Resolves to how many of the backends there still were; they are gone then, or do not listen. */
async function terminate(databaseUrl: string, processIds: readonly number[]): Promise<number> {
  const client = new Client({
    connectionString: databaseUrl,
    application_name: APPLICATION_NAME,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    query_timeout: TERMINATE_TIMEOUT_MS + NETWORK_GRACE_MS,
  });
  // Without a listener a connection that breaks would end the process.
  client.on('error', () => undefined);
  try {
    await client.connect();
    // An id alone could be a stranger's by now, or a pooler's.
    const { rowCount } = await client.query(
      `SELECT pg_terminate_backend(pid, $2) FROM pg_stat_activity
       WHERE pid = ANY ($1) AND pid <> pg_backend_pid()
         AND datname = current_database() AND usename = current_user`,
      [processIds, TERMINATE_TIMEOUT_MS],
    );
    return rowCount ?? 0;
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** As the server told it at the connection's start; the types do not have it. */
function processIdOf(client: PoolClient): number {
  return (client as PoolClient & { readonly processID: number | null }).processID ?? 0;
}

function drop(clients: Iterable<PoolClient>): void {
  for (const client of clients) client.release(true);
}
