/** The connections that the calls of a server process read on, and what their failures mean to a caller. */

import type { Pool, PoolClient } from 'pg';

import { overloaded, databaseUnavailable, deadlineExceeded, ServiceError } from '../errors/failure.ts';
import { classifySqlError, isPoolTimeout } from './sql-errors.ts';
import { withClient } from './with-client.ts';

/** Reads on a pool that it does not own; one object for all who read on it, because it counts them. */
export class ReadConnections {
  readonly #pool: Pool;
  readonly #retryAfterMs: number;
  #inUse = 0;

  /** `retryAfterMs`: what a caller is told when PostgreSQL is away or every connection is in use. */
  constructor(pool: Pool, retryAfterMs: number) {
    this.#pool = pool;
    this.#retryAfterMs = retryAfterMs;
  }

  /**
   * Runs `read` on a connection, once there is one. Rejects with a {@link ServiceError}: `overloaded`
   * when none came free in time, `database_unavailable`, or `deadline_exceeded` when a statement took
   * too long; and with defects as they are.
   */
  async use<T>(read: (client: PoolClient) => Promise<T>): Promise<T> {
    try {
      return await withClient(this.#pool, (client) => this.#counted(read(client)));
    } catch (error) {
      throw this.#asServiceError(error);
    }
  }

  async #counted<T>(reading: Promise<T>): Promise<T> {
    this.#inUse++;
    try {
      return await reading;
    } finally {
      this.#inUse--;
    }
  }

  #asServiceError(error: unknown): unknown {
    const retryAfterMs = this.#retryAfterMs;
    switch (classifySqlError(error)) {
      case 'retry':
        // A pool whose connections are still being opened has no room either: there PostgreSQL is away.
        return isPoolTimeout(error) && this.#inUse >= (this.#pool.options.max ?? Infinity)
          ? new ServiceError(
              overloaded('read_connections', `${this.#pool.options.max ?? 0} reads at once`, retryAfterMs),
              { cause: error },
            )
          : new ServiceError(databaseUnavailable(retryAfterMs), { cause: error });
      case 'timeout':
        return new ServiceError(deadlineExceeded(), { cause: error });
      case 'data':
      case 'defect':
        return error;
    }
  }
}
