/** Calls of a command to the service, repeated if that is safe and may help. */

import { setTimeout as delay } from 'node:timers/promises';
import { Metadata, type CallOptions, type ServiceError } from '@grpc/grpc-js';
import pRetry, { AbortError } from 'p-retry';
import { ServiceUnavailable } from './client.ts';
import { adviceOn, describe, errorOfCall, type ServerError } from './server-error.ts';

/** The service refused a call, and a repeat would change nothing. */
export class Refused extends Error {
  override name = 'Refused';
  readonly error: ServerError;

  constructor(error: ServerError) {
    super(describe(error));
    this.error = error;
  }
}

/** How a call is repeated. */
export interface Repeats {
  /** It gives up after so many milliseconds. */
  readonly retryTimeoutMs: number;
  /** No repeat begins after this signal. */
  readonly interrupt: AbortSignal;
  /** Tells that a call is repeated, and why. */
  readonly onTrouble?: (text: string) => void;
}

type Start<R> = (
  metadata: Metadata,
  options: CallOptions,
  done: (error: ServiceError | null, response: R) => void,
) => unknown;

const CALL_TIMEOUT_MS = 10_000;
const PAUSES = { retries: Infinity, minTimeout: 100, maxTimeout: 5000, randomize: true };
/** After so many attempts, INTERNAL is the final answer. */
const INTERNAL_ATTEMPTS_MAX = 3;

/**
 * Starts a unary call until it has a final answer. The request must be one that may be sent twice. Rejects with
 * {@link Refused}, with {@link ServiceUnavailable} after `retryTimeoutMs`, or with the reason of the interrupt.
 */
export async function callUnary<R>(start: Start<R>, repeats: Repeats): Promise<R> {
  const { retryTimeoutMs, interrupt, onTrouble } = repeats;
  const attempt = (): Promise<R> =>
    new Promise((resolve, reject) => {
      if (interrupt.aborted) return reject(new AbortError(interrupt.reason as Error));
      start(new Metadata(), { deadline: Date.now() + CALL_TIMEOUT_MS }, (error, response) => {
        if (error === null) resolve(response);
        else reject(new Refused(errorOfCall(error)));
      });
    });
  try {
    return await pRetry(attempt, {
      ...PAUSES,
      maxRetryTime: retryTimeoutMs,
      // Not `signal`: a call that is in flight gets its answer.
      shouldRetry: ({ error, attemptNumber }) => isWorthRepeating(error, attemptNumber),
      onFailedAttempt: async ({ error, attemptNumber }) => {
        if (!isWorthRepeating(error, attemptNumber)) return;
        onTrouble?.(error.message);
        await delay((error as Refused).error.retryAfterMs ?? 0, undefined, { signal: interrupt });
      },
    });
  } catch (error) {
    if (!(error instanceof Refused) || adviceOn(error.error) !== 'retry') throw error;
    interrupt.throwIfAborted();
    throw new ServiceUnavailable(error.message);
  }
}

function isWorthRepeating(error: Error, attempts: number): boolean {
  if (!(error instanceof Refused)) return false;
  const advice = adviceOn(error.error);
  return advice === 'retry' || (advice === 'retry_few' && attempts < INTERNAL_ATTEMPTS_MAX);
}
