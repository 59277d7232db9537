/** Brings the database to this version's schema. Any number of starting replicas may race. */

import type { Database } from './orm.ts';

/** Arbitrary, but the same for every version of this service: it names the lock. */
const MIGRATION_LOCK = 7_216_335_041;

/**
 * Applies what is missing, in order, each migration in a transaction. Replicas wait for each other
 * on an advisory lock, bounded by `timeoutMs`. Returns the names of what this call applied. Throws
 * when the database cannot be reached or a migration fails; a later start tries again.
 */
export async function migrate(database: Database, timeoutMs: number): Promise<string[]> {
  const client = await database.pool.connect();
  try {
    await client.query(`SET lock_timeout = ${Math.trunc(timeoutMs)}; SET statement_timeout = 0`);
    await client.query('SELECT pg_advisory_lock($1)', [MIGRATION_LOCK]);
    try {
      const applied = await database.orm.migrator.up();
      return applied.map((migration) => migration.name);
    } finally {
      await client.query('SELECT pg_advisory_unlock($1)', [MIGRATION_LOCK]);
    }
  } finally {
    // Destroyed, not returned: its settings are not those of the pool.
    client.release(true);
  }
}
