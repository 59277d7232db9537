/** Repeats what failed because PostgreSQL was away, for callers who wait for it. */

import pRetry from 'p-retry';

import { databaseUnavailable, ServiceError, type Stored } from '../errors/failure.ts';
import type { Database } from './orm.ts';
import { classifySqlError, isRefusal } from './sql-errors.ts';
import { inTransaction, type Transaction } from './transaction.ts';

/** The first pause is up to twice as long: `p-retry` adds as much again at random. */
const DELAY_MIN_MS = 10;
const DELAY_MAX_MS = 1000;

/** Bounds of the attempts. */
export interface RetryOptions {
  /** How long after its own arrival a request is tried again while PostgreSQL is away. */
  readonly retryForMs: number;
  /** How long the caller is told to wait if that does not help. */
  readonly retryAfterMs: number;
}

/** A request that waits for a write. */
export interface WaitingRequest {
  /** By `performance.now()`. The time in a queue counts towards `retryForMs`. */
  readonly arrivedAt: number;
  readonly reject: (error: unknown) => void;
}

/**
 * Calls `attempt` with the requests that still wait until it succeeds, with pauses that grow from 20 ms to a second
 * while PostgreSQL is away. A request whose time is over is rejected with a {@link ServiceError} `database_unavailable`;
 * the others are attempted again, and may be stored already. The same failure ends all of them if PostgreSQL refuses.
 * Any other error is passed on as it is. Never rejects.
 *
 * `attempt` answers the requests itself, and calls `mayBeStored` if it fails and may have stored something.
 */
export async function writeWithRetries<Request extends WaitingRequest>(
  requests: readonly Request[],
  { retryForMs, retryAfterMs }: RetryOptions,
  attempt: (waiting: readonly Request[], mayBeStored: () => void) => Promise<void>,
): Promise<void> {
  let waiting = requests;
  // After all attempts so far: each of them writes every request that still waits.
  let stored: Stored = 'nothing';
  const unavailable = (cause: unknown) =>
    new ServiceError(databaseUnavailable(retryAfterMs, stored), { cause });
  try {
    await pRetry(() => attempt(waiting, () => (stored = 'maybe')), {
      retries: Infinity,
      minTimeout: DELAY_MIN_MS,
      maxTimeout: DELAY_MAX_MS,
      randomize: true,
      shouldRetry: ({ error, retriesConsumed }) => {
        const kind = classifySqlError(error);
        if (kind !== 'retry' && kind !== 'timeout') return false;
        const delayMs = Math.min(2 * DELAY_MIN_MS * 2 ** retriesConsumed, DELAY_MAX_MS);
        const nextAttemptAt = performance.now() + delayMs;
        waiting = waiting.filter(({ arrivedAt, reject }) => {
          const staysOn = nextAttemptAt <= arrivedAt + retryForMs;
          if (!staysOn) reject(unavailable(error));
          return staysOn;
        });
        return waiting.length > 0;
      },
    });
  } catch (error) {
    const failure = isRefusal(error) ? unavailable(error) : error;
    for (const { reject } of waiting) reject(failure);
  }
}

/**
 * Runs `work` in a transaction of the tenant and resolves to its result after COMMIT. While PostgreSQL is away, all of it
 * is tried again, also if an earlier COMMIT was not confirmed: `work` must recognise what it has stored. Rejects as
 * {@link writeWithRetries} does.
 */
export function retriedTransaction<T>(
  database: Database,
  tenant: string,
  options: RetryOptions,
  work: (transaction: Transaction) => Promise<T>,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const request = { arrivedAt: performance.now(), reject };
    void writeWithRetries([request], options, async (_, mayBeStored) => {
      resolve(await inTransaction(database, tenant, work, mayBeStored));
    });
  });
}
