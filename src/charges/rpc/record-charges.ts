/** RecordCharges: charges for as long as the caller likes, answered in order. */

import type { ServerDuplexStream } from '@grpc/grpc-js';

import {
  type CreateChargeRequest,
  RecordChargesRequest,
  RecordChargesResponse,
} from '../../../generated/charge/v1/charge_service.ts';
import {
  databaseUnavailable,
  type Failure,
  malformedMessage,
  messageTooLarge,
  type Reason,
  ServiceError,
} from '../../errors/failure.ts';
import { decodeStrictly } from '../../grpc/codec.ts';
import type { RpcMethod } from '../../grpc/service.ts';
import { duplexStreamMethod, type StreamCall } from '../../grpc/stream.ts';
import { TimeSlice } from '../../grpc/time-slice.ts';
import { traceparentOf } from '../../grpc/trace-context.ts';
import type { Check } from '../../grpc/validation.ts';
import type { RecordResult } from '../charge.ts';
import type { ChargeRates } from '../charge-rates.ts';
import type { ChargeRecorder } from '../ports.ts';
import { ArrivedItems, type TakenItems } from './arrived-items.ts';
import { CHARGE_REQUEST_BYTES_MAX } from './create-charge.ts';
import { checkItem, type ItemOrigin, requestsOf, toProtoResults } from './items.ts';
import type { RecordShare, RecordWindow } from './record-window.ts';

type RecordStream = StreamCall<RecordChargesRequest, RecordChargesResponse>;

/** What holds streams back, and who hears of their items. */
export interface RecordOptions {
  readonly window: RecordWindow;
  readonly rates: ChargeRates;
  /** Told why an item is rejected that breaks a rule, or is for another user profile. */
  rejected(reason: Reason): void;
}

/** The method on a recorder. */
export function recordCharges(
  recorder: ChargeRecorder,
  check: Check<CreateChargeRequest>,
  options: RecordOptions,
): RpcMethod {
  return duplexStreamMethod<RecordChargesRequest, RecordChargesResponse>({
    kind: 'record',
    requestBytesMax: CHARGE_REQUEST_BYTES_MAX,
    decode: (bytes) => decodeStrictly(RecordChargesRequest, bytes),
    // Items are checked one by one, and rejected alone.
    validate: () => [],
    response: RecordChargesResponse,
    run: (stream, requests) => new RecordWork(stream, requests, { ...options, recorder, check }).start(),
  });
}

/** Items that are recorded together: those that had arrived when the recorder was free for them. */
interface Chunk extends TakenItems {
  results: readonly RecordResult[] | undefined;
  error: unknown;
}

/**
 * Chunks that are recorded at the same time. More than one, because the writers work in parallel and a chunk is
 * answered only after its commit; few, so that waiting items gather into large chunks.
 */
const CHUNKS_MAX = 4;
/** What an item takes besides its bytes, and what its rejection takes at most. */
const ITEM_OVERHEAD_BYTES = 256;
const REJECTION_BYTES = 4096;

/** Chunks after this one may have been stored, even if nothing of this one was. */
function amongOthers(error: unknown): unknown {
  const failure = error instanceof ServiceError ? error.failure : undefined;
  if (failure?.reason !== 'DATABASE_UNAVAILABLE') return error;
  return new ServiceError(databaseUnavailable(failure.retryAfterMs ?? 0, 'maybe'), { cause: error });
}

/**
 * The work of one stream. What is read and not answered is the stream's share of the window; reading
 * stops while there is no room for more or the caller does not read its answers.
 */
class RecordWork {
  readonly #stream: RecordStream;
  readonly #requests: ServerDuplexStream<Buffer, Buffer>;
  readonly #recorder: ChargeRecorder;
  readonly #check: Check<CreateChargeRequest>;
  readonly #rejected: (reason: Reason) => void;
  readonly #rates: ChargeRates;
  readonly #share: RecordShare;
  readonly #origin: ItemOrigin;
  readonly #arrived = new ArrivedItems();
  readonly #chunks: Chunk[] = [];
  readonly #slice = new TimeSlice();
  /** Bytes that are with the recorder. */
  #recordingBytes = 0;
  #scheduled = false;
  #heldBack: NodeJS.Timeout | undefined = undefined;
  #writable = true;
  #yielding = false;
  /** Nothing more is read; once all is answered, the stream ends like this. */
  #ending: 'ok' | Failure | undefined = undefined;

  constructor(
    stream: RecordStream,
    requests: ServerDuplexStream<Buffer, Buffer>,
    options: RecordOptions & {
      readonly recorder: ChargeRecorder;
      readonly check: Check<CreateChargeRequest>;
    },
  ) {
    this.#stream = stream;
    this.#requests = requests;
    this.#recorder = options.recorder;
    this.#check = options.check;
    this.#rejected = (reason) => options.rejected(reason);
    this.#rates = options.rates;
    this.#share = options.window.share(() => this.#regulate());
    this.#origin = { principal: stream.principal, traceparent: traceparentOf(stream) };
  }

  start(): void {
    this.#stream.onDrain((failure) => {
      this.#dropHeldBack();
      this.#endWith(failure);
    });
    this.#stream.signal.addEventListener('abort', () => this.#releaseIfOver());
    this.#requests.on('data', (bytes: Buffer) => this.#guard(() => this.#read(bytes)));
    this.#requests.on('end', () => this.#endWith('ok'));
  }

  #read(bytes: Buffer): void {
    // Items that arrived before a pause took effect are still delivered here.
    if (this.#ending !== undefined || this.#stream.over) return;
    const { rules } = this.#stream;
    if (bytes.length > rules.requestBytesMax) {
      this.#endWith(messageTooLarge(rules.requestBytesMax, bytes.length));
      return;
    }
    const message = rules.decode(bytes);
    if (message === undefined) {
      this.#endWith(malformedMessage());
      return;
    }
    const item = checkItem(message.request, this.#check, this.#origin);
    let itemBytes = bytes.length + ITEM_OVERHEAD_BYTES;
    if ('rejection' in item) {
      this.#rejected(item.reason);
      itemBytes += REJECTION_BYTES;
      this.#yieldIfLong();
    }
    this.#arrived.add(item, itemBytes);
    this.#share.acquire(itemBytes);
    this.#stream.counters.received(1);
    this.#regulate();
    this.#schedule();
  }

  /** A rejection takes as long as hundreds of valid items: others get their turn in between. */
  #yieldIfLong(): void {
    if (!this.#slice.isOver()) return;
    this.#yielding = true;
    setImmediate(() => {
      this.#yielding = false;
      this.#slice.restart();
      this.#regulate();
    });
  }

  /** Lets everything that arrives in this turn of the event loop join the chunk, or until the tenant may record more. */
  #schedule(): void {
    if (this.#scheduled || this.#chunks.length >= CHUNKS_MAX) return;
    this.#scheduled = true;
    const record = (): void => {
      this.#scheduled = false;
      this.#heldBack = undefined;
      this.#guard(() => this.#recordArrived());
    };
    const waitMs = this.#rates.waitMs(this.#stream.tenant, this.#arrived.count);
    if (waitMs === 0) setImmediate(record);
    else this.#heldBack = setTimeout(record, waitMs);
  }

  #recordArrived(): void {
    if (this.#stream.over || this.#arrived.count === 0 || this.#chunks.length >= CHUNKS_MAX) return;
    const count = this.#rates.takeSome(this.#stream.tenant, this.#arrived.count);
    if (count > 0) this.#startChunk(this.#arrived.take(count));
    if (this.#arrived.count > 0) this.#schedule();
  }

  #startChunk(taken: TakenItems): void {
    const chunk: Chunk = { ...taken, results: undefined, error: undefined };
    this.#chunks.push(chunk);
    this.#recordingBytes += chunk.bytes;
    void this.#record(chunk).finally(() => {
      this.#recordingBytes -= chunk.bytes;
      this.#guard(() => this.#answer());
    });
  }

  /** An error ends this stream, not the process: nobody above an event listener catches it. */
  #guard(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#stream.failWith(error);
    }
    this.#releaseIfOver();
  }

  async #record(chunk: Chunk): Promise<void> {
    const requests = requestsOf(chunk.items);
    const { tenant, signal } = this.#stream;
    // A stream is slowed down, not refused: the window limits what it hands over.
    const options = { signal, admitted: true };
    try {
      chunk.results = requests.length === 0 ? [] : await this.#recorder.record(tenant, requests, options);
    } catch (error) {
      chunk.error = error;
    }
  }

  /** Sends the answers that are next in order. */
  #answer(): void {
    if (this.#stream.over) return;
    for (let chunk = this.#chunks[0]; chunk !== undefined; chunk = this.#chunks[0]) {
      if (chunk.error !== undefined) {
        this.#stream.failWith(this.#chunks.length > 1 ? amongOthers(chunk.error) : chunk.error);
        return;
      }
      if (chunk.results === undefined) break;
      this.#chunks.shift();
      this.#send(chunk, chunk.results);
    }
    if (this.#arrived.count > 0) this.#schedule();
    this.#regulate();
    this.#endOnceAnswered();
  }

  #send({ items, bytes }: Chunk, results: readonly RecordResult[]): void {
    // Before the write, which may find out that the stream is over and then releases everything.
    this.#share.release(bytes);
    const responses = toProtoResults(this.#origin.principal, items, results).map((result) => ({ result }));
    if (!this.#stream.writeAll(responses)) this.#stopUntilWritable();
  }

  #stopUntilWritable(): void {
    if (!this.#writable) return;
    this.#writable = false;
    this.#stream.onceWritable(() => {
      this.#writable = true;
      this.#regulate();
    });
  }

  #regulate(): void {
    if (this.#stream.over) return;
    const stop = this.#ending !== undefined || !this.#writable || this.#yielding || !this.#share.mayRead();
    if (stop !== this.#requests.isPaused()) {
      if (stop) this.#requests.pause();
      else this.#requests.resume();
    }
  }

  /** What the rate of the tenant holds back could take longer than the drain. The caller sends it again. */
  #dropHeldBack(): void {
    if (this.#heldBack !== undefined) this.#share.release(this.#arrived.take().bytes);
  }

  #endWith(ending: 'ok' | Failure): void {
    this.#ending ??= ending;
    this.#regulate();
    this.#endOnceAnswered();
  }

  #endOnceAnswered(): void {
    if (this.#ending === undefined || this.#share.bytes > 0) return;
    if (this.#ending === 'ok') this.#stream.end();
    else this.#stream.fail(this.#ending);
    this.#releaseIfOver();
  }

  /**
   * Once the stream is over, releases everything except what is still being recorded. Until then the
   * stream counts as open, even after a cancellation.
   */
  #releaseIfOver(): void {
    if (!this.#stream.over) return;
    clearTimeout(this.#heldBack);
    this.#arrived.take();
    this.#share.release(this.#share.bytes - this.#recordingBytes);
    if (this.#recordingBytes === 0) this.#stream.close();
  }
}
