/** Sends rows over one or more streams with a bounded number under way, and answers them in order. */

import { credentials } from '@grpc/grpc-js';
import {
  ChargeServiceClient,
  type ChargeResult,
  type CreateChargeRequest,
} from '../../../generated/charge/v1/charge_service.ts';
import { Lane, type Outgoing } from './lane.ts';

/** The service could not be reached or does not do its part. Exit status 3. */
export class ServiceUnreachable extends Error {
  override name = 'ServiceUnreachable';
}

/** Bounds and listeners of a {@link RecordStream}; `T` is what the caller wants back with each answer. */
export interface RecordStreamOptions<T> {
  readonly address: string;
  readonly streams: number;
  /** Rows without an answer at most. */
  readonly windowRows: number;
  /** Give up after this long without any answer while rows wait for one. */
  readonly retryTimeoutMs: number;
  /** Called once per row, in the order of the rows. `attempts` counts sendings that came to nothing. */
  onAnswer(row: T, result: ChargeResult, attempts: number): void;
  /** Called once per row that was put in with {@link RecordStream.pass}, in its turn. */
  onPassed(row: T): void;
  onNotice(text: string): void;
  /** Called once when it has given up; every later call rejects with the same error. */
  onFailure(error: ServiceUnreachable): void;
}

interface Slot<T> extends Outgoing {
  readonly row: T;
  readonly bytes: number;
  result: ChargeResult | 'passed' | undefined;
}

/** Bytes of rows without an answer at most: 2000 rows may be of 1 MiB each. */
const WINDOW_BYTES_MAX = 16 * 1_048_576;
const WATCH_INTERVAL_MS = 250;
/** Two streams that take turns being refused shall not fill the screen. */
const NOTICE_INTERVAL_MS = 3000;
const EMPTY_REQUEST: CreateChargeRequest = { charge: undefined, requestId: '' };

/** See {@link RecordStreamOptions}. One producer: the next row only after the last `put` has resolved. */
export class RecordStream<T> {
  readonly #options: RecordStreamOptions<T>;
  readonly #client: ChargeServiceClient;
  readonly #lanes: Lane<Slot<T>>[];
  readonly #window: Slot<T>[] = [];
  #windowBytes = 0;
  #lastAnswerAt = Date.now();
  /** Trouble that was told and has not ended. */
  #isTroubled = false;
  #lastNoticeAt = 0;
  #lastTrouble = 'no answer';
  #failure: ServiceUnreachable | undefined;
  #wake: (() => void) | undefined;
  #watch: NodeJS.Timeout | undefined;

  constructor(options: RecordStreamOptions<T>) {
    this.#options = options;
    this.#client = new ChargeServiceClient(options.address, credentials.createInsecure(), {
      'grpc.initial_reconnect_backoff_ms': 100,
      'grpc.max_reconnect_backoff_ms': 2000,
      // A connection that died without a word is found within 30 s.
      'grpc.keepalive_time_ms': 20_000,
      'grpc.keepalive_timeout_ms': 10_000,
      // Rows are sent again here, by rules of this program; the library would keep copies for its own.
      'grpc.enable_retries': 0,
      'grpc.enable_http_proxy': 0,
      'grpc.use_local_subchannel_pool': 1,
    });
    const events = {
      onResult: (slot: Slot<T>, result: ChargeResult) => this.#onResult(slot, result),
      onTrouble: (text: string) => this.#onTrouble(text),
      onFatal: (text: string) => this.#fail(text),
    };
    this.#lanes = Array.from({ length: options.streams }, () => new Lane(this.#client, events));
  }

  /** Resolves when a connection stands; rejects with {@link ServiceUnreachable} after `timeoutMs`. */
  async connect(timeoutMs: number): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#client.waitForReady(Date.now() + timeoutMs, (error) => {
        if (!error) resolve();
        else reject(new ServiceUnreachable(`no gRPC service answers at ${this.#options.address}`));
      });
    });
    this.#watch = setInterval(() => this.#checkTime(), WATCH_INTERVAL_MS);
  }

  /**
   * Takes a row to be recorded, as soon as the window has room for its `bytes`. Resolves to false,
   * without taking it, when `signal` is aborted first. Rejects with {@link ServiceUnreachable}.
   */
  async put(row: T, request: CreateChargeRequest, bytes: number, signal: AbortSignal): Promise<boolean> {
    const slot = await this.#admit(row, request, bytes, signal);
    if (!slot) return false;
    // Rows with the same request id go the same way: the first of them in the file is sent first.
    this.#lanes[laneIndexOf(request.requestId, this.#lanes.length)]?.push(slot);
    return true;
  }

  /** Takes a row that is not to be sent, so that it is reported in its turn. Like {@link put}. */
  async pass(row: T, bytes: number, signal: AbortSignal): Promise<boolean> {
    const slot = await this.#admit(row, EMPTY_REQUEST, bytes, signal);
    if (!slot) return false;
    slot.result = 'passed';
    this.#deliver();
    return true;
  }

  /** Resolves when every row is answered, or false after `timeoutMs`. Rejects with {@link ServiceUnreachable}. */
  async drain(timeoutMs = Infinity): Promise<boolean> {
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      // First: the answer that could not be written down may have been the last one.
      if (this.#failure) throw this.#failure;
      if (this.#window.length === 0) return true;
      if (Date.now() >= deadline) return false;
      await this.#change(Math.min(deadline - Date.now(), 60_000));
    }
  }

  /** Ends the streams and the connection. */
  close(): void {
    clearInterval(this.#watch);
    for (const lane of this.#lanes) lane.close();
    this.#client.close();
  }

  async #admit(
    row: T,
    request: CreateChargeRequest,
    bytes: number,
    signal: AbortSignal,
  ): Promise<Slot<T> | undefined> {
    const hasRoom = (): boolean =>
      this.#window.length === 0 ||
      (this.#window.length < this.#options.windowRows && this.#windowBytes + bytes <= WINDOW_BYTES_MAX);
    while (!this.#failure && !signal.aborted && !hasRoom()) await this.#change(60_000, signal);
    if (this.#failure) throw this.#failure;
    if (signal.aborted) return undefined;
    if (this.#window.length === 0) this.#lastAnswerAt = Date.now();
    const slot: Slot<T> = { row, request, bytes, attempts: 0, result: undefined };
    this.#window.push(slot);
    this.#windowBytes += bytes;
    return slot;
  }

  /** Resolves after the next answer or failure, when `signal` is aborted, or after `timeoutMs`. */
  async #change(timeoutMs: number, signal?: AbortSignal): Promise<void> {
    await new Promise<void>((resolve) => {
      const wake = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', wake);
        this.#wake = undefined;
        resolve();
      };
      const timer = setTimeout(wake, timeoutMs);
      signal?.addEventListener('abort', wake, { once: true });
      this.#wake = wake;
    });
  }

  #onResult(slot: Slot<T>, result: ChargeResult): void {
    this.#lastAnswerAt = Date.now();
    if (this.#isTroubled) {
      this.#isTroubled = false;
      this.#options.onNotice('the service answers again');
    }
    slot.result = result;
    this.#deliver();
  }

  #deliver(): void {
    try {
      for (let slot = this.#window[0]; slot?.result !== undefined; slot = this.#window[0]) {
        this.#window.shift();
        this.#windowBytes -= slot.bytes;
        if (slot.result === 'passed') this.#options.onPassed(slot.row);
        else this.#options.onAnswer(slot.row, slot.result, slot.attempts);
      }
    } catch (error) {
      // A reject file on a full disk. Thrown on, it would end the process inside a stream's event.
      this.#fail(
        `an answer could not be written down: ${error instanceof Error ? error.message : String(error)}`,
      );
    }
    this.#wake?.();
  }

  #onTrouble(text: string): void {
    this.#lastTrouble = text;
    if (this.#isTroubled || this.#failure || Date.now() - this.#lastNoticeAt < NOTICE_INTERVAL_MS) return;
    this.#isTroubled = true;
    this.#lastNoticeAt = Date.now();
    this.#options.onNotice(`${text}; trying again for up to ${this.#options.retryTimeoutMs / 1000} s`);
  }

  #checkTime(): void {
    if (this.#window.length === 0 || Date.now() - this.#lastAnswerAt < this.#options.retryTimeoutMs) return;
    this.#fail(`no answer for ${this.#options.retryTimeoutMs / 1000} s (last: ${this.#lastTrouble})`);
  }

  #fail(text: string): void {
    if (this.#failure) return;
    this.#failure = new ServiceUnreachable(`${this.#options.address}: ${text}`);
    this.#options.onFailure(this.#failure);
    this.#wake?.();
  }
}

function laneIndexOf(requestId: string, lanes: number): number {
  if (lanes === 1) return 0;
  let hash = 0;
  for (let index = 0; index < requestId.length; index += 1)
    hash = (hash * 31 + requestId.charCodeAt(index)) >>> 0;
  return hash % lanes;
}
