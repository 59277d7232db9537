/** Repeats what failed because PostgreSQL was away. */

import { setTimeout as delay } from 'node:timers/promises';

import { classifySqlError } from './sql-errors.ts';

const DELAY_MIN_MS = 20;
const DELAY_MAX_MS = 1000;

/**
 * Runs `attempt` until it succeeds, with pauses that grow from 20 ms to a second. After a failure that
 * may pass, `again` is told of it and of when the next attempt is made at the latest, by
 * `performance.now()`; false: nobody waits for that, and the promise resolves. Rejects with any other
 * failure at once.
 */
export async function retryWhileAway(
  attempt: () => Promise<void>,
  again: (error: unknown, nextAttemptAt: number) => boolean,
): Promise<void> {
  for (let delayMs = DELAY_MIN_MS; ; delayMs = Math.min(delayMs * 2, DELAY_MAX_MS)) {
    try {
      await attempt();
      return;
    } catch (error) {
      const kind = classifySqlError(error);
      if (kind !== 'retry' && kind !== 'timeout') throw error;
      if (!again(error, performance.now() + delayMs)) return;
    }
    await delay(delayMs * (0.5 + Math.random() / 2));
  }
}
