/** Records charges over several streams, with a limit on what is in flight, and reports in the order of the input. */

import { EventEmitter, once } from 'node:events';
import {
  ChargeServiceClient,
  type ChargeResult,
  type CreateChargeRequest,
} from '../../generated/charge/v1/charge_service.ts';
import { openClient, ServiceUnavailable, waitForServer } from './client.ts';
import type { Server } from './connection.ts';
import { RecordStream, type Outgoing } from './record-stream.ts';

/** Limits and listeners of a {@link Recorder}; `T` is what the caller wants back with each answer. */
export interface RecorderOptions<T> {
  readonly server: Server;
  /** RecordCharges streams at a time, at least 1. */
  readonly streams: number;
  /** Most items without an answer. */
  readonly windowRows: number;
  /** It gives up after this long without any answer while items wait for one. */
  readonly retryTimeoutMs: number;
  /**
   * Called once per item, in the order of the items. No result: the item was put without a request.
   * `attempts` counts how often it was sent before without a final answer.
   */
  onAnswer(item: T, result: ChargeResult | undefined, attempts: number): void;
  /** Tells a person about trouble and its end. */
  onNotice(text: string): void;
}

interface Slot<T> extends Outgoing {
  readonly item: T;
  readonly bytes: number;
  isAnswered: boolean;
  result: ChargeResult | undefined;
}

/** Most bytes of items without an answer: each of 2000 items may have 1 MiB. */
const WINDOW_BYTES_MAX = 16 * 1_048_576;
const CHECK_INTERVAL_MS = 250;
/** Two streams that are refused in turn must not fill the screen. */
const NOTICE_INTERVAL_MS = 3000;
const NO_REQUEST: CreateChargeRequest = { charge: undefined, requestId: '', importId: '' };

/** See {@link RecorderOptions}. For one producer, which awaits each `put` before the next one. */
export class Recorder<T> {
  readonly #options: RecorderOptions<T>;
  readonly #client: ChargeServiceClient;
  readonly #streams: RecordStream<Slot<T>>[];
  readonly #changes = new EventEmitter();
  readonly #failure = new AbortController();
  /** The items in their order, from the first one without an answer. */
  readonly #window: Slot<T>[] = [];
  #windowBytes = 0;
  #lastAnswerAt = Date.now();
  /** A person was told of trouble that has not ended. */
  #isTroubled = false;
  #lastNoticeAt = 0;
  #lastTrouble = 'no answer';
  #timer: NodeJS.Timeout | undefined;

  constructor(options: RecorderOptions<T>) {
    this.#options = options;
    this.#client = openClient(ChargeServiceClient, options.server);
    const events = {
      onResult: (slot: Slot<T>, result: ChargeResult) => this.#onResult(slot, result),
      onTrouble: (text: string) => this.#onTrouble(text),
      onFatal: (text: string) => this.#fail(text),
    };
    this.#streams = Array.from({ length: options.streams }, () => new RecordStream(this.#client, events));
  }

  /** Aborted when the recorder has given up, with the {@link ServiceUnavailable} that every later call rejects with. */
  get failed(): AbortSignal {
    return this.#failure.signal;
  }

  /** Resolves when a connection stands. Rejects with {@link ServiceUnavailable} after `timeoutMs`. */
  async connect(timeoutMs: number): Promise<void> {
    await waitForServer(this.#client, timeoutMs);
    this.#timer = setInterval(() => this.#checkTime(), CHECK_INTERVAL_MS);
  }

  /**
   * Takes an item as soon as there is room for its `bytes`. Without a request it is not sent, only
   * reported in its turn. Resolves to false, without taking it, if `signal` is aborted first. Rejects
   * with {@link ServiceUnavailable}.
   */
  async put(
    item: T,
    request: CreateChargeRequest | undefined,
    bytes: number,
    signal: AbortSignal,
  ): Promise<boolean> {
    while (!signal.aborted && !this.failed.aborted && !this.#hasRoomFor(bytes)) await this.#change(signal);
    this.failed.throwIfAborted();
    if (signal.aborted) return false;
    if (this.#window.length === 0) this.#lastAnswerAt = Date.now();
    const slot = {
      item,
      bytes,
      request: request ?? NO_REQUEST,
      attempts: 0,
      isAnswered: !request,
      result: undefined,
    };
    this.#window.push(slot);
    this.#windowBytes += bytes;
    // Requests with the same request id use the same stream: the first of them is sent first.
    if (request) this.#streams[hashOf(request.requestId) % this.#streams.length]?.push(slot);
    else this.#report();
    return true;
  }

  /** Resolves to true when every item is answered, to false when `signal` is aborted first. Rejects like `put`. */
  async drain(signal: AbortSignal): Promise<boolean> {
    while (!signal.aborted && !this.failed.aborted && this.#window.length > 0) await this.#change(signal);
    this.failed.throwIfAborted();
    return this.#window.length === 0;
  }

  /** Ends the streams and the connection. */
  close(): void {
    clearInterval(this.#timer);
    for (const stream of this.#streams) stream.close();
    this.#client.close();
  }

  #hasRoomFor(bytes: number): boolean {
    const { length } = this.#window;
    return (
      length === 0 || (length < this.#options.windowRows && this.#windowBytes + bytes <= WINDOW_BYTES_MAX)
    );
  }

  /** Resolves after the next answer or failure, or when `signal` is aborted. */
  async #change(signal: AbortSignal): Promise<void> {
    await once(this.#changes, 'change', { signal }).catch(() => undefined);
  }

  #onResult(slot: Slot<T>, result: ChargeResult): void {
    this.#lastAnswerAt = Date.now();
    if (this.#isTroubled) {
      this.#isTroubled = false;
      this.#options.onNotice('the service answers again');
    }
    slot.isAnswered = true;
    slot.result = result;
    this.#report();
  }

  #report(): void {
    try {
      for (let slot = this.#window[0]; slot?.isAnswered; slot = this.#window[0]) {
        this.#window.shift();
        this.#windowBytes -= slot.bytes;
        this.#options.onAnswer(slot.item, slot.result, slot.attempts);
      }
    } catch (error) {
      // The disk with the reject file is full, for example.
      this.#fail(`an answer could not be written down: ${(error as Error).message}`);
    }
    this.#changes.emit('change');
  }

  #onTrouble(text: string): void {
    this.#lastTrouble = text;
    if (this.#isTroubled || this.failed.aborted || Date.now() - this.#lastNoticeAt < NOTICE_INTERVAL_MS)
      return;
    this.#isTroubled = true;
    this.#lastNoticeAt = Date.now();
    this.#options.onNotice(`${text}; trying again for up to ${this.#options.retryTimeoutMs / 1000} s`);
  }

  #checkTime(): void {
    if (this.#window.length === 0 || Date.now() - this.#lastAnswerAt < this.#options.retryTimeoutMs) return;
    this.#fail(`no answer for ${this.#options.retryTimeoutMs / 1000} s (last: ${this.#lastTrouble})`);
  }

  #fail(text: string): void {
    if (this.failed.aborted) return;
    this.#failure.abort(new ServiceUnavailable(`${this.#options.server.address}: ${text}`));
    this.#changes.emit('change');
  }
}

function hashOf(text: string): number {
  let hash = 0;
  for (let index = 0; index < text.length; index += 1) hash = (hash * 31 + text.charCodeAt(index)) >>> 0;
  return hash;
}
