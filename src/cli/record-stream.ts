/** A RecordCharges stream that is opened again whenever it breaks, without losing a request. */

import { setTimeout as delay } from 'node:timers/promises';
import type { ClientDuplexStream, ServiceError } from '@grpc/grpc-js';
import pRetry, { AbortError } from 'p-retry';
import {
  type ChargeResult,
  type ChargeServiceClient,
  type CreateChargeRequest,
  Outcome,
  type RecordChargesRequest,
  type RecordChargesResponse,
} from '../../generated/charge/v1/charge_service.ts';
import { adviceOn, describe, errorOfCall, toServerError, type ServerError } from './server-error.ts';

/** A request on its way to the service. */
export interface Outgoing {
  readonly request: CreateChargeRequest;
  /** How often it was sent without a final answer. */
  attempts: number;
}

/** What a {@link RecordStream} reports. The functions must not throw. */
export interface RecordStreamEvents<T extends Outgoing> {
  /** The final answer: created, replayed, or rejected for a reason that a repeat does not change. */
  onResult(item: T, result: ChargeResult): void;
  /** The stream broke, or the service is overloaded. The requests without an answer are sent again. */
  onTrouble(text: string): void;
  /** No repeat will help. */
  onFatal(text: string): void;
}

/** Pauses between streams that brought no final answer. p-retry makes each up to twice as long at random. */
const PAUSES = { retries: Infinity, minTimeout: 100, maxTimeout: 5000, randomize: true };
/** After so many attempts, INTERNAL is the final answer to a request. */
const INTERNAL_ATTEMPTS_MAX = 3;

/**
 * Sends requests in the order of {@link RecordStream.push}. The answers come in the same order. The
 * caller limits how many requests wait for one.
 */
export class RecordStream<T extends Outgoing> {
  readonly #client: ChargeServiceClient;
  readonly #events: RecordStreamEvents<T>;
  readonly #closing = new AbortController();
  #call: ClientDuplexStream<RecordChargesRequest, RecordChargesResponse> | undefined;
  #canSend = false;
  #isRunning = false;
  /** Not sent on the present stream. */
  #queue: T[] = [];
  /** Sent on the present stream, without an answer. */
  #sent: T[] = [];
  /** Refused for the moment by the present stream. */
  #refused: T[] = [];
  #refusal: ServerError | undefined;
  #hasFinalAnswer = false;

  constructor(client: ChargeServiceClient, events: RecordStreamEvents<T>) {
    this.#client = client;
    this.#events = events;
  }

  /** Takes a request. It is sent as soon as the stream has room. */
  push(item: T): void {
    this.#queue.push(item);
    if (this.#isRunning) this.#send();
    else void this.#run();
  }

  /** Ends the stream: in order if every request is answered, otherwise by cancelling it. */
  close(): void {
    this.#closing.abort();
    if (this.#sent.length > 0) this.#call?.cancel();
    else this.#call?.end();
  }

  /** Opens streams until every request is answered. After a final answer, the pauses start short again. */
  async #run(): Promise<void> {
    const { signal } = this.#closing;
    this.#isRunning = true;
    try {
      while (this.#queue.length > 0) await pRetry(() => this.#runStream(), { ...PAUSES, signal });
    } catch (error) {
      if (!signal.aborted) this.#events.onFatal((error as Error).message);
    }
    this.#isRunning = false;
  }

  /** One stream from start to end. Rejects if requests are left and no final answer came. */
  async #runStream(): Promise<void> {
    const call = this.#client.recordCharges();
    this.#call = call;
    this.#canSend = true;
    this.#hasFinalAnswer = false;
    // The loop below gets each error too. Without a listener, one after the loop would end the process.
    call.on('error', () => undefined);
    call.on('drain', () => {
      if (call !== this.#call) return;
      this.#canSend = this.#refusal === undefined;
      this.#send();
    });
    this.#send();
    let error: ServerError | undefined;
    try {
      for await (const response of call as AsyncIterable<RecordChargesResponse>) this.#onResponse(response);
    } catch (cause) {
      if (!(cause instanceof Error && 'metadata' in cause)) throw new AbortError(cause as Error);
      error = errorOfCall(cause as ServiceError);
    }
    error ??= this.#refusal;
    this.#takeBack();
    // The service may end a stream without work. The next request opens another one.
    if (this.#queue.length === 0 || this.#closing.signal.aborted) return;
    const text = error ? describe(error) : 'the service ended the stream';
    if (error && adviceOn(error) === 'give_up') throw new AbortError(text);
    this.#events.onTrouble(text);
    await delay(error?.retryAfterMs ?? 0, undefined, { signal: this.#closing.signal });
    if (!this.#hasFinalAnswer) throw new Error(text);
  }

  #send(): void {
    while (this.#canSend && this.#call) {
      const item = this.#queue.shift();
      if (!item) return;
      this.#sent.push(item);
      this.#canSend = this.#call.write({ request: item.request });
    }
  }

  #onResponse({ result }: RecordChargesResponse): void {
    const item = this.#sent.shift();
    if (!item) throw new Error('the service answered a request that was not sent');
    const error = errorOf(result);
    if (error) {
      item.attempts += 1;
      const advice = adviceOn(error);
      if (advice === 'retry' || (advice === 'retry_few' && item.attempts < INTERNAL_ATTEMPTS_MAX)) {
        return this.#refuse(item, error);
      }
    }
    this.#hasFinalAnswer = true;
    this.#events.onResult(item, result as ChargeResult);
  }

  /** Sends nothing more on this stream, which ends when the service has answered what was sent. */
  #refuse(item: T, error: ServerError): void {
    this.#refused.push(item);
    if (this.#refusal) return;
    this.#refusal = error;
    this.#canSend = false;
    this.#call?.end();
  }

  /** Puts what has no final answer back into the queue, in the order of before. */
  #takeBack(): void {
    for (const item of this.#sent) item.attempts += 1;
    this.#queue = [...this.#refused, ...this.#sent, ...this.#queue];
    this.#refused = [];
    this.#sent = [];
    this.#refusal = undefined;
    this.#call = undefined;
    this.#canSend = false;
  }
}

/** Undefined: the charge is stored. */
function errorOf(result: ChargeResult | undefined): ServerError | undefined {
  switch (result?.outcome) {
    case Outcome.OUTCOME_CREATED:
    case Outcome.OUTCOME_REPLAYED:
      return undefined;
    case Outcome.OUTCOME_REJECTED:
      if (result.status) return toServerError(result.status);
  }
  throw new Error('the service answered with an outcome that this program does not know');
}
