/** MikroORM with the settings of this service. */

import type { EntitySchema, MigrationObject } from '@mikro-orm/core';
import { Migrator } from '@mikro-orm/migrations';
import { type EntityManager, MikroORM } from '@mikro-orm/postgresql';
import type { ClientBase, Pool } from 'pg';

import { clientFor, type ConnectionSettings } from './client.ts';
import { parseDatabaseUrl } from './database-url.ts';
import { BoundDriver, NETWORK_GRACE_MS } from './driver.ts';
import { PREPARE_SETTINGS } from './query-for-tenant.ts';
import { BECOME_SERVICE } from './service-role.ts';
import { SET_EVERY_TENANT } from './tenant.ts';

/** How to reach PostgreSQL, within which bounds, and what is stored there. */
export interface DatabaseOptions {
  /** See {@link parseDatabaseUrl}. */
  readonly databaseUrl: string;
  readonly entities: readonly EntitySchema[];
  /** Connections at most. */
  readonly poolSizeMax: number;
  /** How long one statement may run, unless `forTenant` sets a nearer limit. */
  readonly statementTimeoutMs: number;
  /** How long a statement waits for a lock; by default as long as it may run. */
  readonly lockTimeoutMs?: number;
  /** How long to wait for a connection: for a new one, or for one in use to become free. */
  readonly connectTimeoutMs: number;
  /** Shown in pg_stat_activity. */
  readonly applicationName: string;
  /**
   * Whether its sessions see the rows of every tenant, for the service's own work: migrations, the relay and the sums of
   * usage (the supervisor's connections), and the poll of all journals. False by default: each transaction names its
   * tenant, or sees nothing.
   */
  readonly everyTenant?: boolean;
  /** Whether its sessions work as the login role, instead of the service's ({@link BECOME_SERVICE}): for migrations. */
  readonly asLoginRole?: boolean;
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

/**
 * Settings of every session. Every statement has an index whose order it follows. Without these settings:
 * - A prepared statement that was planned while a table had one page reads the whole table after it has
 *   grown.
 * - A bitmap scan loses the order. If the planner expects few matches, it collects and sorts them all for
 *   every page.
 * - Before PostgreSQL 18, a plan that must scan a table counts as so expensive that it is compiled (JIT),
 *   which takes longer than running it.
 * A database or a role may have another encoding for its clients, which would garble every text.
 */
const SESSION_SETTINGS =
  'SET enable_seqscan = off; SET enable_bitmapscan = off; SET jit = off; SET client_encoding = UTF8';

/** Connects lazily: it succeeds while PostgreSQL is away, and the first statement finds out. */
export async function openDatabase(options: DatabaseOptions): Promise<Database> {
  const address = parseDatabaseUrl(options.databaseUrl);
  const connectTimeoutMs = address.connectTimeoutMs ?? options.connectTimeoutMs;
  const settings: ConnectionSettings = {
    application_name: options.applicationName,
    connectionTimeoutMillis: connectTimeoutMs,
    // PostgreSQL's own limit does not help if its answer gets lost on a dead network.
    query_timeout: options.statementTimeoutMs + NETWORK_GRACE_MS,
    keepAlive: true,
    // A connection that waits in silence, for a migration of hours, is found dead within minutes.
    keepAliveInitialDelayMillis: 30_000,
  };
  const sessionSettings = { text: sessionSettingsOf(options), query_timeout: connectTimeoutMs };
  const orm = await MikroORM.init({
    driver: BoundDriver,
    dbName: address.database,
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
    // The migrations make functions and policies that no entity knows. docs/schema.sql has them.
    schemaGenerator: { ignoreRoutines: true, ignorePolicies: true },
    // Both would put row values, which are somebody's data, into the log.
    debug: false,
    logger: () => undefined,
    ensureDatabase: false,
    pool: { min: 0, max: options.poolSizeMax, idleTimeoutMillis: 0 },
    driverOptions: {
      ...settings,
      Client: clientFor(address),
      onConnect: (client: ClientBase) => client.query(sessionSettings),
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

/**
 * They are set after the connection is made: a pooler such as PgBouncer refuses them as start-up parameters. That is
 * safe in a session of our own, and `migrate` makes sure that it is (`pooler.ts`).
 */
function sessionSettingsOf(options: DatabaseOptions): string {
  const { statementTimeoutMs, lockTimeoutMs, everyTenant, asLoginRole } = options;
  const settings = [SESSION_SETTINGS, PREPARE_SETTINGS, `SET statement_timeout = ${statementTimeoutMs}`];
  if (lockTimeoutMs !== undefined) settings.push(`SET lock_timeout = ${lockTimeoutMs}`);
  if (everyTenant) settings.push(SET_EVERY_TENANT);
  if (!asLoginRole) settings.push(BECOME_SERVICE);
  return settings.join('; ');
}
