/** Bounded waiting for a condition: tests never sleep for luck. */
import { inspect } from 'node:util';
import { setTimeout as delay } from 'node:timers/promises';

/** Bounds of `waitFor`. */
export interface WaitForOptions {
  /** Default 30 s: a busy machine is slow, and only a failure waits that long. */
  timeoutMs?: number;
  /** Pause between two attempts. Default 20 ms. */
  intervalMs?: number;
}

/**
 * Calls `condition` until it returns something truthy, and returns that. An error thrown by the condition counts as
 * "not yet". Throws after `timeoutMs`, naming the description and the last value or error; a condition that never
 * settles is given up on as well.
 */
export async function waitFor<T>(
  description: string,
  condition: () => T | Promise<T>,
  options: WaitForOptions = {},
): Promise<NonNullable<T>> {
  const { timeoutMs = 30_000, intervalMs = 20 } = options;
  const deadlineMs = performance.now() + timeoutMs;
  let last = 'nothing: the first attempt has not ended';
  for (;;) {
    const leftMs = deadlineMs - performance.now();
    if (leftMs <= 0)
      throw new Error(
        `waited ${String(timeoutMs)} ms in vain for ${description}; the last value was ${last}`,
      );
    const attempt = await settleWithin(leftMs, condition);
    if (attempt === 'pending') continue;
    if ('value' in attempt && attempt.value) return attempt.value;
    last =
      'value' in attempt
        ? inspect(attempt.value, { depth: 4 })
        : `the error ${inspect(attempt.error, { depth: 1 })}`;
    await delay(intervalMs);
  }
}

/**
 * The value that ten calls of `roundTrip` in a row have left as it was. For tests that need to know that nothing more
 * happens: what a server in this process can do at once, it does during a round trip through it.
 */
export async function settled(read: () => number, roundTrip: () => Promise<unknown>): Promise<number> {
  let last = read();
  for (let steady = 0; steady < 10; steady++) {
    await roundTrip();
    const now = read();
    if (now !== last) [last, steady] = [now, -1];
  }
  return last;
}

async function settleWithin<T>(
  timeoutMs: number,
  condition: () => T | Promise<T>,
): Promise<'pending' | { value: T } | { error: unknown }> {
  const abort = new AbortController();
  const attempt = (async () => condition())().then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
  const timeout = delay(timeoutMs, 'pending' as const, { signal: abort.signal }).catch(
    () => 'pending' as const,
  );
  try {
    return await Promise.race([attempt, timeout]);
  } finally {
    abort.abort();
  }
}
