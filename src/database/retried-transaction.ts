/** Transactions that a caller waits for. */

import { databaseUnavailable, ServiceError, type Stored } from '../errors/failure.ts';
import type { Database } from './orm.ts';
import { retryWhileAway } from './retry.ts';
import { classifySqlError, isRefusal } from './sql-errors.ts';
import { inTransaction, type Transaction } from './transaction.ts';

/** Bounds of a transaction. */
export interface RetryOptions {
  /** How long it is tried again while PostgreSQL is away. */
  readonly retryForMs: number;
  /** How long the caller is told to wait if that does not help. */
  readonly retryAfterMs: number;
}

/**
 * Runs `work` in a transaction and resolves to its result after COMMIT. While PostgreSQL is away, all of it is tried
 * again, also if an earlier COMMIT was not confirmed: `work` must recognise what it has stored. Rejects with a
 * {@link ServiceError} `database_unavailable` if PostgreSQL does not answer or refuses, and with any other error as it
 * is.
 */
export async function retriedTransaction<T>(
  database: Database,
  { retryForMs, retryAfterMs }: RetryOptions,
  work: (transaction: Transaction) => Promise<T>,
): Promise<T> {
  const giveUpAt = performance.now() + retryForMs;
  let stored: Stored = 'nothing';
  let result: T | undefined;
  try {
    await retryWhileAway(
      async () => {
        result = await inTransaction(database, work, () => (stored = 'maybe'));
      },
      (_, nextAttemptAt) => nextAttemptAt <= giveUpAt,
    );
  } catch (error) {
    const kind = classifySqlError(error);
    if (kind !== 'retry' && kind !== 'timeout' && !isRefusal(error)) throw error;
    throw new ServiceError(databaseUnavailable(retryAfterMs, stored), { cause: error });
  }
  return result as T;
}
