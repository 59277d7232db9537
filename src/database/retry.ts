/** Repeats what failed because PostgreSQL was away. */

import pRetry from 'p-retry';

import { classifySqlError } from './sql-errors.ts';

/** The first pause is up to twice as long: `p-retry` adds as much again at random. */
const DELAY_MIN_MS = 10;
const DELAY_MAX_MS = 1000;

/**
 * Runs `attempt` until it succeeds, with pauses that grow from 20 ms to a second. After a temporary failure
 * it calls `again` with the failure and the latest time of the next attempt (by `performance.now()`). If
 * `again` returns false, it rejects with that failure. It rejects with any other failure at once.
 */
export function retryWhileAway(
  attempt: () => Promise<void>,
  again: (error: unknown, nextAttemptAt: number) => boolean,
): Promise<void> {
  return pRetry(attempt, {
    retries: Infinity,
    minTimeout: DELAY_MIN_MS,
    maxTimeout: DELAY_MAX_MS,
    randomize: true,
    shouldRetry: ({ error, retriesConsumed }) => {
      const kind = classifySqlError(error);
      if (kind !== 'retry' && kind !== 'timeout') return false;
      const delayMs = Math.min(2 * DELAY_MIN_MS * 2 ** retriesConsumed, DELAY_MAX_MS);
      return again(error, performance.now() + delayMs);
    },
  });
}
