/** One RecordCharges stream that is opened again whenever it breaks, without losing a row. */

import type { ClientDuplexStream, StatusObject } from '@grpc/grpc-js';
import {
  type ChargeResult,
  type ChargeServiceClient,
  type CreateChargeRequest,
  Outcome,
  type RecordChargesRequest,
  type RecordChargesResponse,
} from '../../../generated/charge/v1/charge_service.ts';
import { describe, errorOfCall, toServerError, verdictOn } from './server-status.ts';

/** A row on its way. The caller bounds how many there are. */
export interface Outgoing {
  readonly request: CreateChargeRequest;
  /** How often it was handed to a stream and came to nothing. */
  attempts: number;
}

/** What a lane reports. Handlers must not throw. */
export interface LaneEvents<T extends Outgoing> {
  /** The final word on a row: created, replayed, or refused for a reason that a repeat does not change. */
  onResult(row: T, result: ChargeResult): void;
  /** The stream broke, or the service asks for patience; rows are sent again in a moment. */
  onTrouble(text: string): void;
  /** No repeat will help. */
  onFatal(text: string): void;
}

const BACKOFF_MS_MIN = 100;
const BACKOFF_MS_MAX = 5000;
/** Attempts at a row that the service answers with INTERNAL, before that is its result. */
const DEFECT_ATTEMPTS_MAX = 3;

type Call = ClientDuplexStream<RecordChargesRequest, RecordChargesResponse>;

/** Sends rows in the order of {@link Lane.push} and matches the answers, which come in the same order. */
export class Lane<T extends Outgoing> {
  readonly #client: ChargeServiceClient;
  readonly #events: LaneEvents<T>;
  #waiting: T[] = [];
  #sent: T[] = [];
  /** Refused for the moment; joins the front of `#waiting` when the pause ends. */
  #again: T[] = [];
  #call: Call | undefined;
  #isFull = false;
  #pause: NodeJS.Timeout | undefined;
  #failuresInRow = 0;
  #isClosed = false;

  constructor(client: ChargeServiceClient, events: LaneEvents<T>) {
    this.#client = client;
    this.#events = events;
  }

  /** Takes a row; it is sent as soon as the stream has room. */
  push(row: T): void {
    this.#waiting.push(row);
    this.#send();
  }

  /** Ends the stream: politely when every row is answered, by cancelling it otherwise. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#pause);
    if (this.#sent.length > 0) this.#call?.cancel();
    else this.#call?.end();
  }

  #send(): void {
    if (this.#isClosed || this.#pause) return;
    while (this.#waiting.length > 0 && !this.#isFull) {
      this.#call ??= this.#open();
      const row = this.#waiting.shift();
      if (!row) return;
      this.#sent.push(row);
      this.#isFull = !this.#call.write({ request: row.request });
    }
  }

  #open(): Call {
    const call = this.#client.recordCharges();
    let status: StatusObject | undefined;
    let hasEnded = false;
    // The status may overtake answers that still wait in the stream: both have to be through.
    const settle = (): void => {
      if (status && hasEnded && call === this.#call) this.#onEnd(status);
    };
    call.on('data', (response: RecordChargesResponse) => {
      if (call === this.#call) this.#onResponse(response);
    });
    call.on('drain', () => {
      if (call !== this.#call) return;
      this.#isFull = false;
      this.#send();
    });
    call.on('status', (ended: StatusObject) => {
      status = ended;
      settle();
    });
    call.on('end', () => {
      hasEnded = true;
      settle();
    });
    call.on('error', () => {
      // The same error arrives as 'status'; without a listener it would end the process.
    });
    return call;
  }

  #onResponse({ result }: RecordChargesResponse): void {
    const row = this.#sent.shift();
    if (!row) return this.#events.onFatal('the service answered a row that was not sent');
    if (result?.outcome === Outcome.OUTCOME_CREATED || result?.outcome === Outcome.OUTCOME_REPLAYED) {
      this.#failuresInRow = 0;
      return this.#events.onResult(row, result);
    }
    if (result?.outcome !== Outcome.OUTCOME_REJECTED || !result.status) {
      return this.#events.onFatal('the service answered with an outcome that this importer does not know');
    }
    const error = toServerError(result.status);
    const verdict = verdictOn(error);
    row.attempts += 1;
    if (verdict === 'give_up' || (verdict === 'retry_few' && row.attempts >= DEFECT_ATTEMPTS_MAX)) {
      this.#failuresInRow = 0;
      return this.#events.onResult(row, result);
    }
    this.#again.push(row);
    if (this.#pause) return;
    this.#events.onTrouble(describe(error));
    this.#pauseFor(error.retryAfterMs);
  }

  #onEnd(status: StatusObject): void {
    this.#call = undefined;
    this.#isFull = false;
    for (const row of this.#sent) row.attempts += 1;
    this.#waiting = [...this.#sent, ...this.#waiting];
    this.#sent = [];
    // An idle stream may end as it likes: the next row opens another.
    if (this.#isClosed || this.#waiting.length + this.#again.length === 0) return;
    const error = errorOfCall(status);
    if (error.code !== 0 && verdictOn(error) === 'give_up') return this.#events.onFatal(describe(error));
    this.#events.onTrouble(error.code === 0 ? 'the service ended the stream' : describe(error));
    this.#pauseFor(error.retryAfterMs);
  }

  #pauseFor(retryAfterMs: number | undefined): void {
    if (this.#pause || this.#isClosed) return;
    const backoffMs = Math.min(BACKOFF_MS_MIN * 2 ** Math.min(this.#failuresInRow, 10), BACKOFF_MS_MAX);
    this.#failuresInRow += 1;
    // Jitter keeps many importers from coming back in the same moment.
    const delayMs = Math.max(retryAfterMs ?? 0, backoffMs) * (1 + Math.random() / 2);
    this.#pause = setTimeout(() => {
      this.#pause = undefined;
      this.#waiting = [...this.#again, ...this.#waiting];
      this.#again = [];
      this.#send();
    }, delayMs);
  }
}
