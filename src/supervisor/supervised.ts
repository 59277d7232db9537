/** Keeps an embedded server running: started again, on the same port, when it dies. */

import { setTimeout as delay } from 'node:timers/promises';

import type { Logger, ManagedProcess } from '../embedded/process.ts';

const RESTART_DELAY_MIN_MS = 200;
const RESTART_DELAY_MAX_MS = 10_000;

/** A server that is started again whenever it ends by itself. */
export interface Supervised<T> {
  /** The first start. Later ones keep its port. */
  readonly first: T;
  /** Ends the server and its supervision. */
  stop(): Promise<void>;
}

/**
 * Starts a server and keeps it running until `stop()`. Rejects when the first start fails. `start` has to end what it
 * has begun, and to reject, once its signal is aborted: for the first start that is `startStopping`, for later ones
 * a signal of `stop()`.
 */
export async function superviseProcess<T extends ManagedProcess & { readonly port: number }>(
  name: string,
  start: (port: number, signal: AbortSignal) => Promise<T>,
  logger: Logger,
  startStopping: AbortSignal,
): Promise<Supervised<T>> {
  const stopping = new AbortController();
  const first = await start(0, startStopping);
  let current: T = first;
  let restarting: Promise<void> = Promise.resolve();

  const watch = (server: T): void => {
    server.onExit((exit) => {
      if (exit.expected || stopping.signal.aborted) return;
      logger.error({ code: exit.code, signal: exit.signal }, `${name} died; starting it again`);
      restarting = restart();
    });
  };
  const restart = async (): Promise<void> => {
    for (let delayMs = RESTART_DELAY_MIN_MS; ; delayMs = Math.min(delayMs * 2, RESTART_DELAY_MAX_MS)) {
      await delay(delayMs, undefined, { signal: stopping.signal }).catch(() => undefined);
      if (stopping.signal.aborted) return;
      try {
        current = await start(first.port, stopping.signal);
        return watch(current);
      } catch (error) {
        if (stopping.signal.aborted) return;
        logger.error({ err: error, retryInMs: delayMs }, `${name} did not start`);
      }
    }
  };
  watch(first);

  return {
    first,
    stop: async () => {
      stopping.abort();
      await restarting;
      await current.stop();
    },
  };
}
