/** Reads over one pool of connections. Turns their failures into errors that a caller may see. */

import type { EntityManager } from '@mikro-orm/postgresql';
import type { PoolClient } from 'pg';

import { databaseUnavailable, deadlineExceeded, overloaded, ServiceError } from '../errors/failure.ts';
import { type Patience, TenantTurns } from '../grpc/tenant-turns.ts';
import { forTenant, onClient, withClient } from './driver.ts';
import type { Database } from './orm.ts';
import {
  classifySqlError,
  isPoolTimeout,
  isRefusal,
  isStatementError,
  poolTimeout,
  statementTimeout,
} from './sql-errors.ts';
import { setTenant } from './tenant.ts';

/** SQL with named parameters. */
export interface Statement {
  readonly sql: string;
  readonly parameters: Readonly<Record<string, unknown>>;
}

/** Sums need memory for their groups. By default PostgreSQL would sort their rows instead, on disk. */
function beginSnapshot(tenant: string, timeoutMs: number): string {
  const timeout = timeoutMs === Infinity ? '' : `; SET LOCAL statement_timeout = ${timeoutMs}`;
  return `BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; ${setTenant(tenant)}; SET LOCAL work_mem = '64MB'; SET LOCAL enable_sort = off; SET LOCAL cursor_tuple_fraction = 1${timeout}`;
}

/** Reads on the connections of one database that it does not own, each for one tenant; one object for each database. */
export class ReadConnections {
  readonly #database: Database;
  readonly #retryAfterMs: number;
  readonly #refused: (error: unknown) => void;
  /** The pool itself serves whoever asks first: a tenant with thousands of reads would keep all others waiting. */
  readonly #turns: TenantTurns;
  readonly #patience: Patience;
  #connectionsInUse = 0;

  /**
   * `retryAfterMs`: what a caller is told if PostgreSQL is away or every connection is in use. `refused` hears of the
   * reads that PostgreSQL refuses, because a table or a privilege is missing, for example.
   */
  constructor(database: Database, retryAfterMs: number, refused: (error: unknown) => void = () => undefined) {
    this.#refused = refused;
    this.#database = database;
    this.#retryAfterMs = retryAfterMs;
    const { max = 1, connectionTimeoutMillis = 0 } = database.pool.options;
    this.#turns = new TenantTurns({ max, waitingMax: Infinity });
    this.#patience = { ms: connectionTimeoutMillis, error: poolTimeout };
    database.pool.on('acquire', () => this.#connectionsInUse++);
    database.pool.on('release', () => this.#connectionsInUse--);
  }

  /**
   * Runs `read` with an EntityManager of its own, which sees the rows of this tenant alone. Tenants take turns. `timeoutMs`: each statement ends that long after this
   * call at the latest, with the wait for a connection. Rejects with a {@link ServiceError}: `overloaded`
   * if no connection became free in time, `database_unavailable`, also if PostgreSQL refuses the statement, or
   * `deadline_exceeded` if it took too long. Rejects with any other error as it is.
   */
  async use<T>(tenant: string, read: (em: EntityManager) => Promise<T>, timeoutMs?: number): Promise<T> {
    const deadlineMs = performance.now() + (timeoutMs || Infinity);
    const readNow = (): Promise<T> => {
      // What is left after the wait may be nothing: then PostgreSQL is not asked.
      const leftMs = Math.max(Number.MIN_VALUE, deadlineMs - performance.now());
      return read(
        forTenant(this.#database.em, tenant, { timeoutMs: leftMs === Infinity ? undefined : leftMs }),
      );
    };
    try {
      return await this.#turns.run(tenant, readNow, this.#patience);
    } catch (error) {
      throw this.#asServiceError(error);
    }
  }

  /** The same over the rows of all tenants, on a database whose sessions see them. */
  async useEveryTenant<T>(read: (em: EntityManager) => Promise<T>): Promise<T> {
    try {
      return await read(this.#database.em.fork());
    } catch (error) {
      throw this.#asServiceError(error);
    }
  }

  /**
   * Runs `read` so that all of its statements see one state of the database. `timeoutMs`: how long each statement may
   * take, with the wait for a connection. Rejects as {@link use} does.
   */
  async snapshot<T>(tenant: string, read: (em: EntityManager) => Promise<T>, timeoutMs?: number): Promise<T> {
    const deadlineMs = performance.now() + (timeoutMs || Infinity);
    try {
      return await withClient(this.#database.pool, async (client) => {
        const leftMs = Math.ceil(deadlineMs - performance.now());
        if (leftMs <= 0) throw statementTimeout();
        await client.query(beginSnapshot(tenant, leftMs));
        try {
          const result = await read(onClient(this.#database.em, client));
          await client.query('COMMIT');
          return result;
        } catch (error) {
          if (isStatementError(error)) await client.query('ROLLBACK');
          throw error;
        }
      });
    } catch (error) {
      throw this.#asServiceError(error);
    }
  }

  /**
   * Reads the rows of one statement as they are asked for, at most `rowsMax` at once, all of one state of the database,
   * which `prepare` sees too. It keeps a connection until the end, so the caller limits how many run and for how long.
   * Rejects as {@link use} does.
   */
  async *stream<Row extends object>(
    tenant: string,
    prepare: (em: EntityManager) => Promise<Statement>,
    rowsMax: number,
  ): AsyncGenerator<Row[]> {
    let client: PoolClient | undefined;
    let isDone = false;
    try {
      client = await this.#database.pool.connect();
      await client.query(beginSnapshot(tenant, Infinity));
      const em = onClient(this.#database.em, client);
      const { sql, parameters } = await prepare(em);
      const loggerContext = em.getLoggerContext();
      await em.execute(`DECLARE answer NO SCROLL CURSOR FOR ${sql}`, { ...parameters }, { loggerContext });
      let count: number;
      do {
        const { rows } = await client.query<Row>(`FETCH ${rowsMax} FROM answer`);
        count = rows.length;
        yield rows;
      } while (count === rowsMax);
      await client.query('COMMIT');
      isDone = true;
    } catch (error) {
      throw this.#asServiceError(error);
    } finally {
      // A reader who left early leaves an open transaction.
      client?.release(!isDone);
    }
  }

  #asServiceError(error: unknown): unknown {
    const retryAfterMs = this.#retryAfterMs;
    const connectionsMax = this.#database.pool.options.max ?? Infinity;
    switch (classifySqlError(error)) {
      case 'retry':
        // Connections that are still being opened do not count: if all hang there, PostgreSQL is away.
        return isPoolTimeout(error) && this.#connectionsInUse >= connectionsMax
          ? new ServiceError(
              overloaded('read_connections', `${connectionsMax} reads at once`, retryAfterMs),
              { cause: error },
            )
          : new ServiceError(databaseUnavailable(retryAfterMs, 'nothing'), { cause: error });
      case 'timeout':
        return new ServiceError(deadlineExceeded(), { cause: error });
      case 'data':
        return error;
      case 'other':
        if (!isRefusal(error)) return error;
        this.#refused(error);
        return new ServiceError(databaseUnavailable(retryAfterMs, 'nothing'), { cause: error });
    }
  }
}
