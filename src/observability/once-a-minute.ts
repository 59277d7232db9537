/** Keeps what may happen in every call from filling the log. */

const PERIOD_MS = 60_000;

/**
 * Makes a function that tells whether a line may be logged now: once a minute for each key. Keys are texts of this
 * program, never values from outside, so there are few.
 */
export function onceAMinute(): (key?: string) => boolean {
  const silentUntilMs = new Map<string, number>();
  return (key = '') => {
    const now = performance.now();
    if (now < (silentUntilMs.get(key) ?? 0)) return false;
    silentUntilMs.set(key, now + PERIOD_MS);
    return true;
  };
}
