/** How this service connects to PostgreSQL, and pools of such connections. */

import { type ClientBase, Pool, type PoolConfig, TypeOverrides } from 'pg';

const TIMESTAMPTZ_OID = 1184;
/** How much longer than PostgreSQL's own limit an answer is waited for. */
export const NETWORK_GRACE_MS = 5_000;

/** Raises `off` and leaves every stronger setting alone: a database or role may have turned it off. */
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
export interface ConnectionOptions {
  /** `postgresql://user:password@host:port/database` */
  readonly databaseUrl: string;
  /** Connections at most. */
  readonly poolSizeMax: number;
  /** How long one statement may run, unless a caller's deadline is nearer. */
  readonly statementTimeoutMs: number;
  /** How long a statement waits for a lock; by default as long as it may run. */
  readonly lockTimeoutMs?: number;
  /** How long to wait for a connection: for a new one, or for one that is in use to come free. */
  readonly connectTimeoutMs: number;
  /**
   * Whether commits wait for the disk. Off only where losing the last ones in a crash of the server
   * costs a repetition: the relay's cursor and lease.
   */
  readonly durableCommits: boolean;
  /** Shown in pg_stat_activity. */
  readonly applicationName: string;
}

/** The settings of each connection, as `pg` and its pool take them; the URL and the size are not among them. */
export function connectionSettings(options: ConnectionOptions): PoolConfig {
  const { durableCommits } = options;
  return {
    application_name: options.applicationName,
    connectionTimeoutMillis: options.connectTimeoutMs,
    statement_timeout: options.statementTimeoutMs,
    // PostgreSQL's own limit says nothing where its answer gets lost on a dead network.
    query_timeout: options.statementTimeoutMs + NETWORK_GRACE_MS,
    lock_timeout: options.lockTimeoutMs,
    keepAlive: true,
    // A connection that waits in silence, for a migration of hours, is found dead within minutes.
    keepAliveInitialDelayMillis: 30_000,
    ...runAtConnect(PREFER_INDEXES, durableCommits ? REQUIRE_DURABLE_COMMITS : RELAX_COMMITS),
  };
}

/**
 * A pool without MikroORM, for connections that must not be taken by anything else; `end()` ends them.
 * Connects at the first use, and keeps what it has opened.
 */
export function openPool(options: ConnectionOptions): Pool {
  const pool = new Pool({
    connectionString: options.databaseUrl,
    max: options.poolSizeMax,
    types: textTypes(),
    // The pool's timer for idle ones would be set anew by every group of charges.
    idleTimeoutMillis: 0,
    ...connectionSettings(options),
  });
  // A connection that breaks while idle is replaced at the next use; without a listener it would
  // end the process.
  pool.on('error', () => undefined);
  pool.on('connect', (client) => client.on('error', () => undefined));
  return pool;
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
