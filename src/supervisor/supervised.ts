/** Keeps an embedded server running: when it dies or hangs, it is started again on the same port. */

import { setTimeout as delay } from 'node:timers/promises';

import type { Logger } from '../embedded/process.ts';
import type { ManagedServer } from '../embedded/server-process.ts';
import { retryForever } from '../errors/retry-forever.ts';

const RESTART_DELAY_MIN_MS = 200;
const RESTART_DELAY_MAX_MS = 10_000;
/** A server that ran this long is started again at once, and does not lengthen the next delay. */
const STABLE_AFTER_MS = 60_000;

/**
 * A server that says nothing to four connections in a row, for 5 s each, hangs. PostgreSQL and nats-server answer
 * a new connection before they do any work, so one that is busy or recovering has answered long before.
 */
const PROBES: Probes = { pauseMs: 1_000, timeoutMs: 5_000, unansweredMax: 4 };

/** When a server counts as hanging. */
interface Probes {
  readonly pauseMs: number;
  readonly timeoutMs: number;
  readonly unansweredMax: number;
}

/** A server that is started again whenever it ends by itself. */
export interface Supervised<T> {
  /** The first start. Later ones keep its port. */
  readonly first: T;
  /** Ends the server and its supervision. */
  stop(): Promise<void>;
}

/**
 * Starts a server and keeps it running until `stop()`. Rejects if the first start fails. After an abort of its signal
 * `start` has to reject, and to end what it has begun. For the first start the signal is `startStopping`, for later
 * ones it is aborted by `stop()`. A server that hangs is killed; `probes` are for tests.
 */
export async function superviseProcess<T extends ManagedServer>(
  name: string,
  start: (port: number, signal: AbortSignal) => Promise<T>,
  logger: Logger,
  startStopping: AbortSignal,
  probes = PROBES,
): Promise<Supervised<T>> {
  const stopping = new AbortController();
  const { signal } = stopping;
  const first = await start(0, startStopping);
  let current = first;
  let startedAtMs = 0;

  /** Resolves after `stop()`, and rejects if the server does not start or dies. */
  const keepRunning = async (attempt: number): Promise<void> => {
    startedAtMs = performance.now();
    if (attempt > 1) current = await start(first.port, signal);
    if (signal.aborted) return;
    const exited = new AbortController();
    void killIfItHangs(name, current, logger, probes, exited.signal);
    const exit = await current.exited;
    exited.abort();
    if (!exit.expected) throw new Error(`it ended with ${exit.signal ?? exit.code ?? 'an unknown status'}`);
  };
  const supervision = retryForever(keepRunning, {
    minTimeout: RESTART_DELAY_MIN_MS,
    maxTimeout: RESTART_DELAY_MAX_MS,
    signal,
    shouldConsumeRetry: () => performance.now() - startedAtMs < STABLE_AFTER_MS,
    onFailedAttempt: ({ error }) => {
      if (!signal.aborted)
        logger.error({ reason: error.message }, `${name} died or did not start; starting it again`);
    },
  }).catch(() => undefined);

  return {
    first,
    stop: async () => {
      stopping.abort();
      await current.stop();
      await supervision;
      // A start may have succeeded at the moment of the abort.
      await current.stop();
    },
  };
}

async function killIfItHangs(
  name: string,
  server: ManagedServer,
  logger: Logger,
  { pauseMs, timeoutMs, unansweredMax }: Probes,
  exited: AbortSignal,
): Promise<void> {
  let unanswered = 0;
  while (unanswered < unansweredMax) {
    await delay(pauseMs, undefined, { ref: false, signal: exited }).catch(() => undefined);
    if (exited.aborted) return;
    unanswered = (await server.answers(timeoutMs)) ? 0 : unanswered + 1;
  }
  if (exited.aborted) return;
  const { pid } = server;
  logger.error(
    { pid, silentForMs: unansweredMax * timeoutMs },
    `${name} hangs: it answers nobody; killing it`,
  );
  server.kill();
}
