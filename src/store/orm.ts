/** Opens the store: one MikroORM per process, and the one `pg` pool below it. */

import type { MigrationObject } from '@mikro-orm/core';
import { Migrator } from '@mikro-orm/migrations';
import { MikroORM } from '@mikro-orm/postgresql';
import { type ClientBase, Pool, TypeOverrides } from 'pg';

import { entities } from './entities.ts';
import { migrations } from './migrations/index.ts';

const TIMESTAMPTZ_OID = 1184;
/** How much longer than PostgreSQL's own limit an answer is waited for. */
export const NETWORK_GRACE_MS = 5_000;

/** Raises `off` and leaves every stronger setting alone. */
const REQUIRE_DURABLE_COMMITS = `
  SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'`;
const RELAX_COMMITS = 'SET synchronous_commit = off';

/**
 * Every statement has an index in whose order it goes.
 *
 * - Prepared ones are planned once: a plan made while a table had a page or two would read all of it
 *   long after it has grown.
 * - A bitmap loses the order: where the planner expects few matches, it would collect and sort them
 *   all for every page.
 * - JIT: before PostgreSQL 18 a plan that has to scan a table all the same counts as so expensive that
 *   it is compiled, for longer than it runs.
 */
const PREFER_INDEXES = 'SET enable_seqscan = off; SET enable_bitmapscan = off; SET jit = off';

/** How to reach PostgreSQL, and within which bounds. */
export interface StoreOptions {
  /** `postgresql://user:password@host:port/database` */
  readonly databaseUrl: string;
  /** Connections for reads, at most. */
  readonly poolSizeMax: number;
  /** Connections for writes, at most: one for each group that is written at once. */
  readonly writePoolSizeMax: number;
  /** How long one statement may run, unless a caller's deadline is nearer. */
  readonly statementTimeoutMs: number;
  /** How long a statement waits for a lock; by default as long as it may run. */
  readonly lockTimeoutMs?: number;
  /** How long to wait for a connection. */
  readonly connectTimeoutMs: number;
  /**
   * Whether commits wait for the disk. Off only where losing the last ones in a crash of the server
   * costs a repetition: the relay's cursor and lease.
   */
  readonly durableCommits: boolean;
  /** Shown in pg_stat_activity. */
  readonly applicationName: string;
  /** This version's migrations by default. */
  readonly migrations?: readonly MigrationObject[];
}

/** An open store. */
export interface Database {
  readonly orm: MikroORM;
  /** MikroORM's own pool, for set-based reads that the entity manager is too slow for. */
  readonly pool: Pool;
  /** Connections of its own for the write path, so that no number of readers can hold it up. */
  readonly writePool: Pool;
  /** Ends every connection. */
  close(): Promise<void>;
}

/** Connects lazily: it succeeds while PostgreSQL is away, and the first statement finds out. */
export async function openDatabase(options: StoreOptions): Promise<Database> {
  const driverOptions = {
    application_name: options.applicationName,
    connectionTimeoutMillis: options.connectTimeoutMs,
    statement_timeout: options.statementTimeoutMs,
    // PostgreSQL's own limit says nothing where its answer gets lost on a dead network.
    query_timeout: options.statementTimeoutMs + NETWORK_GRACE_MS,
    lock_timeout: options.lockTimeoutMs,
    keepAlive: true,
    // A connection that waits in silence, for a migration of hours, is found dead within minutes.
    keepAliveInitialDelayMillis: 30_000,
  };
  const orm = await MikroORM.init({
    clientUrl: options.databaseUrl,
    entities,
    extensions: [Migrator],
    migrations: {
      migrationsList: [...(options.migrations ?? migrations)],
      snapshot: false,
      // Each for itself: what is done stays done when a later one fails.
      allOrNothing: false,
      tableName: 'migration',
    },
    // Both would put row values, which are somebody's data, into the log.
    debug: false,
    logger: () => undefined,
    ensureDatabase: false,
    pool: { min: 0, max: options.poolSizeMax },
    driverOptions: {
      ...driverOptions,
      ...runAtConnect(PREFER_INDEXES, ...(options.durableCommits ? [] : [RELAX_COMMITS])),
    },
  });
  const connection = orm.em.getConnection();
  const pool = await connection.getNativeClient();
  const writePool = new Pool({
    connectionString: options.databaseUrl,
    max: options.writePoolSizeMax,
    types: textTypes(),
    // One for each writer, kept: the pool's timer for idle ones would be set anew by every group.
    idleTimeoutMillis: 0,
    ...driverOptions,
    // A database or role may have turned it off: then OK would not mean committed.
    ...runAtConnect(PREFER_INDEXES, REQUIRE_DURABLE_COMMITS),
  });
  // A connection that breaks while idle is replaced at the next use; without a listener it would
  // end the process.
  writePool.on('error', () => undefined);
  writePool.on('connect', (client) => client.on('error', () => undefined));
  return {
    orm,
    pool,
    writePool,
    close: async () => {
      await writePool.end();
      await orm.close(true);
    },
  };
}

/** Timestamps as PostgreSQL prints them, as MikroORM's pool has them too: a Date loses microseconds. */
function textTypes(): TypeOverrides {
  const types = new TypeOverrides();
  types.setTypeParser(TIMESTAMPTZ_OID, (text: string) => text);
  return types;
}

/** The pool waits for it, and gives a connection up on which it fails. */
function runAtConnect(...statements: string[]): { onConnect(client: ClientBase): Promise<unknown> } {
  return { onConnect: (client) => client.query(statements.join(';')) };
}
