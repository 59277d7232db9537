/** The calls of a command to the service, repeated if that is safe and may help. */

import { setTimeout as delay } from 'node:timers/promises';
import { Client, Metadata, type MethodDefinition, type StatusObject } from '@grpc/grpc-js';
import pRetry, { AbortError } from 'p-retry';
import { openClient, ServiceUnavailable, waitForServer } from './client.ts';
import { EXIT } from './command.ts';
import type { Server } from './connection.ts';
import { adviceOn, errorOfCall, type ServerError } from './server-error.ts';
import { describeWithFlags, type FieldFlags } from './field-flags.ts';
import { openStream } from './server-stream.ts';

/** The service refused a call, and a repeat would change nothing. */
export class Refused extends Error {
  override name = 'Refused';
  readonly error: ServerError;
  /** What a person can do about it, each as one line. */
  advice: readonly string[] = [];

  constructor(error: ServerError, fields?: FieldFlags) {
    super(describeWithFlags(error, fields));
    this.error = error;
  }
}

/** The service, and how long to try. */
export interface SessionOptions {
  readonly server: Server;
  /** A call is given up after so many milliseconds. Absent: a minute. */
  readonly retryTimeoutMs?: number;
  /** For messages about them. */
  readonly fields?: FieldFlags;
}

const CONNECT_TIMEOUT_MS = 5000;
const CALL_TIMEOUT_MS = 60_000;
const PAUSES = { retries: Infinity, minTimeout: 100, maxTimeout: 5000, randomize: true };
/** After so many attempts, INTERNAL is the final answer. */
const INTERNAL_ATTEMPTS_MAX = 3;
const AGAIN = 'Run the same command again: nothing is done twice.';

/** A connection for calls. Every request must be one that may be sent twice, but for {@link Session.callOnce}. */
export class Session {
  readonly retryTimeoutMs: number;
  readonly interrupt: AbortSignal;
  readonly #client: Client;
  readonly #fields: FieldFlags | undefined;

  /** No repeat of a call begins after `interrupt`. */
  constructor({ server, retryTimeoutMs = CALL_TIMEOUT_MS, fields }: SessionOptions, interrupt: AbortSignal) {
    this.retryTimeoutMs = retryTimeoutMs;
    this.interrupt = interrupt;
    this.#client = openClient(Client, server);
    this.#fields = fields;
  }

  /** Resolves when the connection stands. Rejects with {@link ServiceUnavailable} after 5 s. */
  connect(): Promise<void> {
    return waitForServer(this.#client, CONNECT_TIMEOUT_MS);
  }

  close(): void {
    this.#client.close();
  }

  /**
   * Calls a method of a generated service until it has a final answer. `onTrouble` is told why a call is repeated.
   * Rejects with {@link Refused}, with {@link ServiceUnavailable} after `retryTimeoutMs`, or with the reason of the
   * interrupt.
   */
  async call<Q, R>(
    method: MethodDefinition<Q, R>,
    request: Q,
    onTrouble?: (text: string) => void,
    retryTimeoutMs = this.retryTimeoutMs,
  ): Promise<R> {
    const timeoutMs = Math.min(retryTimeoutMs, CALL_TIMEOUT_MS);
    return this.#repeat(() => this.#attempt(method, request, timeoutMs), onTrouble, retryTimeoutMs);
  }

  /** Calls a method that must not be sent twice, because its answer cannot be had again. Rejects with {@link Refused}. */
  callOnce<Q, R>(method: MethodDefinition<Q, R>, request: Q): Promise<R> {
    return this.#attempt(method, request, CALL_TIMEOUT_MS);
  }

  /**
   * The messages of a method that answers with a stream. It reads no faster than they are used. Until the first one is
   * there, it is repeated and rejects as {@link Session.call} does. A stream that breaks off later is not repeated.
   */
  async *stream<Q, R>(method: MethodDefinition<Q, R>, request: Q): AsyncGenerator<R> {
    const { messages, first, close } = await this.#repeat(() =>
      openStream(this.#client, method, request, this.interrupt).catch((error: unknown) => {
        this.interrupt.throwIfAborted();
        throw this.#refused(error as StatusObject);
      }),
    );
    try {
      for (let next = first; !next.done; next = await messages.next()) yield next.value;
    } catch (error) {
      this.interrupt.throwIfAborted();
      const refused = this.#refused(error as StatusObject);
      throw adviceOn(refused.error) === 'give_up' ? refused : new ServiceUnavailable(refused.message);
    } finally {
      close();
    }
  }

  async #repeat<T>(
    attempt: () => Promise<T>,
    onTrouble?: (text: string) => void,
    retryTimeoutMs = this.retryTimeoutMs,
  ): Promise<T> {
    const { interrupt } = this;
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

  #refused(status: StatusObject): Refused {
    return new Refused(errorOfCall(status), this.#fields);
  }

  #attempt<Q, R>(method: MethodDefinition<Q, R>, request: Q, timeoutMs: number): Promise<R> {
    const { path, requestSerialize, responseDeserialize } = method;
    return new Promise((resolve, reject) => {
      if (this.interrupt.aborted) return reject(new AbortError(this.interrupt.reason as Error));
      this.#client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        request,
        new Metadata(),
        { deadline: Date.now() + timeoutMs },
        (error, response) => {
          if (error) reject(this.#refused(error));
          else resolve(response as R);
        },
      );
    });
  }
}

function isWorthRepeating(error: Error, attempts: number): boolean {
  if (!(error instanceof Refused)) return false;
  const advice = adviceOn(error.error);
  return advice === 'retry' || (advice === 'retry_few' && attempts < INTERNAL_ATTEMPTS_MAX);
}

/**
 * Runs a command with a connection and returns its exit status. If the service cannot be reached or refuses, it tells
 * a person, and a program with `json`.
 */
export async function withSession(
  options: SessionOptions & { readonly json?: boolean | undefined },
  interrupt: AbortSignal,
  run: (session: Session) => Promise<number>,
): Promise<number> {
  const session = new Session(options, interrupt);
  try {
    await session.connect();
    return await run(session);
  } catch (error) {
    const failure = failureOf(error);
    if (!failure) throw error;
    const { status, text, exitStatus } = failure;
    process.stderr.write(`${text}\n`);
    if (options.json)
      process.stdout.write(`${JSON.stringify({ status, error: (error as Error).message })}\n`);
    return exitStatus;
  } finally {
    session.close();
  }
}

/** With the flag in place of the header that the service names. */
function refusalText({ message, advice, error: { reason } }: Refused): string {
  const help =
    reason === 'UNAUTHENTICATED' ? ' With this command: --api-key-file FILE, or CHARGE_API_KEY=KEY.' : '';
  return [`The service refused: ${message}${help}`, ...advice].join('\n');
}

/** How a command ended that did not run to its end. Undefined: it is an error of this program. */
export function failureOf(error: unknown) {
  const isRefused = error instanceof Refused;
  if (!isRefused && !(error instanceof ServiceUnavailable)) return undefined;
  const { message } = error;
  return isRefused
    ? { status: 'refused', message, text: refusalText(error), exitStatus: EXIT.rejected }
    : { status: 'aborted', message, text: `${message}. ${AGAIN}`, exitStatus: EXIT.failed };
}
