/** Whether PostgreSQL answers: what health and readiness are made of. */

import type { Pool } from 'pg';

/** How often PostgreSQL is polled, and how long to wait for its answer. */
export interface DatabaseWatchOptions {
  readonly periodMs: number;
  /** No answer within this time counts as none. */
  readonly timeoutMs: number;
}

/**
 * Polls at once and then periodically, and tells the first answer and every change. Resolves `first`
 * after the first answer or its absence; `stop()` ends it.
 */
export function watchDatabase(
  pool: Pool,
  options: DatabaseWatchOptions,
  changed: (available: boolean) => void,
): { readonly first: Promise<void>; stop(): void } {
  let available: boolean | undefined;
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;
  const poll = async (): Promise<void> => {
    const answered = await answers(pool, options.timeoutMs);
    if (stopped) return;
    if (answered !== available) {
      available = answered;
      changed(answered);
    }
    timer = setTimeout(() => void poll(), options.periodMs);
  };
  return {
    first: poll(),
    stop: () => {
      stopped = true;
      clearTimeout(timer);
    },
  };
}

async function answers(pool: Pool, timeoutMs: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const silence = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), timeoutMs);
  });
  // One that can only read cannot record charges: a former primary after a failover.
  const answer = pool.query<{ writable: boolean }>('SELECT NOT pg_is_in_recovery() AS writable').then(
    ({ rows }) => rows[0]?.writable === true,
    () => false,
  );
  try {
    return await Promise.race([answer, silence]);
  } finally {
    clearTimeout(timer);
  }
}
