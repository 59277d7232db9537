/** p-retry for what is tried until it succeeds or the service stops. */

import pRetry, { type Options } from 'p-retry';

/**
 * Calls `work` until it succeeds, with a growing pause between two attempts. Rejects only after an abort of `signal`,
 * and may do so although `work` has just succeeded: `work` itself has to keep what must be closed.
 */
export function retryForever<T>(
  work: (attempt: number) => Promise<T>,
  options: Omit<Options, 'retries'>,
): Promise<T> {
  const attempt = async (number: number): Promise<T> => {
    try {
      return await work(number);
    } catch (error) {
      // p-retry gives up after a TypeError, which it takes for a bug.
      throw new Error(error instanceof Error ? error.message : String(error), { cause: error });
    }
  };
  return pRetry(attempt, { ...options, retries: Infinity });
}
