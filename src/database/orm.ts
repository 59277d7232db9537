/** MikroORM with the settings of this service. Every connection to PostgreSQL is opened here. */

import type { EntitySchema, MigrationObject } from '@mikro-orm/core';
import { Migrator } from '@mikro-orm/migrations';
import { type EntityManager, MikroORM } from '@mikro-orm/postgresql';
import type { Pool } from 'pg';

import { parseDatabaseUrl } from './database-url.ts';
import { BoundDriver, NETWORK_GRACE_MS } from './driver.ts';

/** How to reach PostgreSQL, within which bounds, and what is stored there. */
export interface DatabaseOptions {
  /** `postgresql://user:password@host:port/database` */
  readonly databaseUrl: string;
  readonly entities: readonly EntitySchema[];
  /** Connections at most. */
  readonly poolSizeMax: number;
  /** How long one statement may run, unless `withTimeout` sets a nearer limit. */
  readonly statementTimeoutMs: number;
  /** How long a statement waits for a lock; by default as long as it may run. */
  readonly lockTimeoutMs?: number;
  /** How long to wait for a connection: for a new one, or for one in use to become free. */
  readonly connectTimeoutMs: number;
  /** Shown in pg_stat_activity. */
  readonly applicationName: string;
  /**
   * Whether a statement may be sent while another one on the same connection is not answered, which
   * {@link withTimeout} needs. False by default.
   */
  readonly pipelining?: boolean;
  /** None by default. */
  readonly migrations?: readonly MigrationObject[];
}

/** An open database: one pool of connections and MikroORM on it. */
export interface Database {
  readonly orm: MikroORM;
  /** For `em.execute()`; `fork()` it before working with entities. */
  readonly em: EntityManager;
  /**
   * The pool of MikroORM's connections, for what MikroORM cannot do: prepared statements, parameters in
   * binary format, locks that last longer than a transaction.
   */
  readonly pool: Pool;
  /** Ends every connection of it. */
  close(): Promise<void>;
}

/** Connects lazily: it succeeds while PostgreSQL is away, and the first statement finds out. */
export async function openDatabase(options: DatabaseOptions): Promise<Database> {
  const { dbName, connectionString } = parseDatabaseUrl(options.databaseUrl);
  const orm = await MikroORM.init({
    driver: BoundDriver,
    dbName,
    entities: [...options.entities],
    discovery: { warnWhenNoEntities: false },
    extensions: [Migrator],
    migrations: {
      migrationsList: [...(options.migrations ?? [])],
      snapshot: false,
      // Each in its own transaction: what is done stays done if a later one fails.
      allOrNothing: false,
      tableName: 'migration',
    },
    // Both would put row values, which are somebody's data, into the log.
    debug: false,
    logger: () => undefined,
    ensureDatabase: false,
    pool: { min: 0, max: options.poolSizeMax, idleTimeoutMillis: 0 },
    driverOptions: {
      connectionString,
      application_name: options.applicationName,
      connectionTimeoutMillis: options.connectTimeoutMs,
      statement_timeout: options.statementTimeoutMs,
      // PostgreSQL's own limit does not help if its answer gets lost on a dead network.
      query_timeout: options.statementTimeoutMs + NETWORK_GRACE_MS,
      lock_timeout: options.lockTimeoutMs,
      pipeline: options.pipelining ?? false,
      keepAlive: true,
      // A connection that waits in silence, for a migration of hours, is found dead within minutes.
      keepAliveInitialDelayMillis: 30_000,
    },
  });
  const pool = await orm.em.getConnection().getNativeClient();
  const close = async (): Promise<void> => {
    await orm.close(true);
    // MikroORM leaves a pool open that it has not used for a transaction.
    if (!pool.ending) await pool.end();
  };
  return { orm, em: orm.em, pool, close };
}
