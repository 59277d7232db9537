/** Brings the database to this version's schema. Any number of starting replicas may race. */

import type { MigrationObject } from '@mikro-orm/core';
import type { PoolClient } from 'pg';

import { NETWORK_GRACE_MS, openDatabase } from './orm.ts';

/** Arbitrary, but the same for every version of this service: it names the lock. */
const MIGRATION_LOCK = 7_216_335_041;
/** An index on a billion charges takes hours. */
const STATEMENT_TIMEOUT_MS = 24 * 60 * 60_000;

/** Bounds of a migration, which are not those of the service's own statements. */
export interface MigrateOptions {
  /** How long to wait for a lock: until other replicas have migrated, or until a table is free. */
  readonly lockTimeoutMs: number;
  /** How long one statement may run; a day by default. */
  readonly statementTimeoutMs?: number;
  /** This version's migrations by default. */
  readonly migrations?: readonly MigrationObject[];
}

/**
 * Applies what is missing, in order, each migration in a transaction. Replicas wait for each other
 * on an advisory lock. Returns the names of what this call applied. Throws when the database cannot be
 * reached, a lock is not to be had in time or a migration fails; a later start tries again.
 */
export async function migrate(databaseUrl: string, options: MigrateOptions): Promise<string[]> {
  const database = await openDatabase({
    databaseUrl,
    // One for the lock, one for the statements.
    poolSizeMax: 2,
    writePoolSizeMax: 1,
    durableCommits: true,
    statementTimeoutMs: STATEMENT_TIMEOUT_MS,
    connectTimeoutMs: 5_000,
    applicationName: 'charge-service migrations',
    ...options,
  });
  const inUse = new Set<PoolClient>();
  database.pool.on('acquire', (client) => inUse.add(client));
  database.pool.on('release', (_error, client) => inUse.delete(client));
  try {
    const client = await database.pool.connect();
    const lock = {
      text: 'SELECT pg_advisory_lock($1)',
      values: [MIGRATION_LOCK],
      query_timeout: options.lockTimeoutMs + NETWORK_GRACE_MS,
    };
    await client.query(lock);
    const applied = await database.orm.migrator.up();
    return applied.map((migration) => migration.name);
  } finally {
    // The lock ends with its connection. Another one is here when its ROLLBACK failed: MikroORM keeps
    // it, and the pool would wait for it for ever.
    for (const client of inUse) client.release(true);
    await database.close();
  }
}
