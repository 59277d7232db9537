/**
 * MikroORM's PostgreSQL driver with three changes, for every statement outside of MikroORM's own
 * transactions, which only migrations use:
 *
 * - Values travel apart from the statement. MikroORM writes them into its text.
 * - A connection on which something failed is closed. MikroORM gives it back to the pool, although it may
 *   still wait for an answer that the network has lost.
 * - The logger context names the tenant of the statement and limits it in PostgreSQL ({@link forTenant}), or names
 *   the connection that it runs on ({@link onClient}).
 */

import type { EntityManager } from '@mikro-orm/core';
import {
  type Configuration,
  type DriverException,
  isRaw,
  type LoggingOptions,
  type NativeQueryBuilder,
  PostgreSqlConnection,
  PostgreSqlDriver,
  raw,
  type RawQueryFragment,
  type Transaction,
} from '@mikro-orm/postgresql';
import type { ClientBase, Pool, PoolClient, QueryConfig, QueryResult } from 'pg';

import { queryForTenant } from './query-for-tenant.ts';
import { isStatementError, sqlState, statementTimeout } from './sql-errors.ts';

/** How long to wait for an answer after PostgreSQL's own time limit. */
export const NETWORK_GRACE_MS = 5_000;

/** Bounds of a fork, and where its statements run. */
export interface TenantForkOptions {
  /** Statements end so long from now at the latest, with SQLSTATE 57014. By default, only the session limits them. */
  readonly timeoutMs?: number | undefined;
  /** A connection without an open transaction; by default one of the pool for each statement. */
  readonly client?: ClientBase;
}

/**
 * A fork whose statements see and write the rows of this tenant alone, each in a transaction of its own.
 */
export function forTenant<Manager extends EntityManager>(
  em: Manager,
  tenant: string,
  { timeoutMs, client }: TenantForkOptions = {},
): Manager {
  const deadlineMs = timeoutMs === undefined ? undefined : performance.now() + timeoutMs;
  return em.fork({ loggerContext: { tenant, deadlineMs, client } });
}

/** A fork whose statements run on this connection, in the transaction that is open there. */
export function onClient<Manager extends EntityManager>(em: Manager, client: ClientBase): Manager {
  return em.fork({ loggerContext: { client, tenant: undefined } });
}

/** What the two forks above tell the driver. */
interface StatementContext {
  readonly tenant?: string | undefined;
  readonly deadlineMs?: number | undefined;
  readonly client?: ClientBase | undefined;
}

class BoundConnection extends PostgreSqlConnection {
  override async execute<T>(
    query: string | NativeQueryBuilder | RawQueryFragment,
    params: readonly unknown[] | Record<string, unknown> = [],
    method: 'all' | 'get' | 'run' = 'all',
    transaction?: Transaction,
    loggerContext?: LoggingOptions & StatementContext,
  ): Promise<T> {
    if (transaction !== undefined) {
      return super.execute(query, params, method, transaction, loggerContext) as Promise<T>;
    }
    const bound = bind(query, params);
    const { tenant, deadlineMs, client } = loggerContext ?? {};
    const run = (on: ClientBase): Promise<QueryResult> =>
      tenant === undefined ? on.query(bound) : queryBefore(on, tenant, bound, deadlineMs);
    const { rows, rowCount } = await (client === undefined ? this.#onPooledClient(run) : run(client));
    return this.transformRawResult<T>({ rows: rows ?? [], numAffectedRows: rowCount ?? undefined }, method);
  }

  async #onPooledClient(run: (client: ClientBase) => Promise<QueryResult>): Promise<QueryResult> {
    await this.ensureConnection();
    return withClient(await this.getNativeClient(), run);
  }
}

export class BoundDriver extends PostgreSqlDriver {
  protected override readonly connection: BoundConnection;

  constructor(config: Configuration) {
    super(config);
    this.connection = new BoundConnection(config);
  }

  /** Errors stay as PostgreSQL sent them: MikroORM adds values of rows to the message. */
  override convertException(error: Error): DriverException {
    return error;
  }
}

/**
 * Errors of a statement after which its session would fail later statements too.
 * - 25006: the session only reads. Another host may be the primary now. Or the database can be written again, which
 *   only a new session learns.
 * - 26000, 42P05: a pooler has given us the session of another client. It lacks our prepared statement, or already has
 *   one of that name.
 */
const USELESS_SESSION: ReadonlySet<string> = new Set(['25006', '26000', '42P05']);

/**
 * Runs `work` on a pooled connection, which must be outside of any transaction afterwards. The connection
 * is used again if PostgreSQL answered, even with most errors of the statement. Otherwise it is closed.
 * Rejects with what `work` threw, or with the pool's error if no connection was available.
 */
export async function withClient<T>(pool: Pool, work: (client: PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  let broken = true;
  try {
    const result = await work(client);
    broken = false;
    return result;
  } catch (error) {
    broken = !isStatementError(error) || USELESS_SESSION.has(sqlState(error) ?? '');
    throw error;
  } finally {
    client.release(broken);
  }
}

/** If this process kept the limit itself, it would have to cancel over another connection, and could hit the next statement. */
async function queryBefore(
  client: ClientBase,
  tenant: string,
  query: QueryConfig,
  deadlineMs: number | undefined,
): Promise<QueryResult> {
  if (deadlineMs === undefined) return queryForTenant(client, tenant, query);
  // The wait for a connection has taken its part, or all of it.
  const leftMs = Math.ceil(deadlineMs - performance.now());
  if (leftMs <= 0) throw statementTimeout();
  const limits = { statementTimeoutMs: leftMs, answerTimeoutMs: leftMs + NETWORK_GRACE_MS };
  return queryForTenant(client, tenant, query, limits);
}

/** A placeholder as MikroORM writes it: `\?` is a question mark, `??` an identifier, `?` a value. */
const PLACEHOLDER = /\\\?|\?\??/g;

function bind(
  query: string | NativeQueryBuilder | RawQueryFragment,
  params: readonly unknown[] | Record<string, unknown>,
): QueryConfig {
  // raw() replaces names such as `:tenant` by placeholders.
  const fragment =
    typeof query === 'string' ? raw(query, params as unknown[]) : isRaw(query) ? query : query.toRaw();
  const bound: unknown[] = [];
  return { text: numbered(fragment.sql, fragment.params, bound), values: bound };
}

function numbered(sql: string, params: readonly unknown[], bound: unknown[]): string {
  let next = 0;
  return sql.replace(PLACEHOLDER, (mark) => {
    if (mark === '\\?') return '?';
    const value = params[next++];
    if (mark === '??') return `"${String(value).replaceAll('"', '""')}"`;
    if (isRaw(value)) return numbered(value.sql, value.params, bound);
    bound.push(value);
    return `$${bound.length}`;
  });
}
