/** RecordCharges: charges for as long as the caller likes, answered in order. */

import type { ServerDuplexStream } from '@grpc/grpc-js';

import {
  type CreateChargeRequest,
  type RecordChargesRequest,
  RecordChargesResponse,
} from '../../../generated/charge/v1/charge_service.ts';
import { encodeFramed } from '../../grpc/codec.ts';
import type { RecordResult } from '../charge.ts';
import type { Failure } from '../../errors/service-error.ts';
import type { ChargeRecorder } from '../ports.ts';
import { fromProtoItem, type Item, requestsOf, toProtoResults } from './items.ts';
import type { RecordShare } from './record-window.ts';
import type { StreamCall, StreamWork } from '../../grpc/stream.ts';
import { traceparentOf } from '../../grpc/trace-context.ts';
import type { Check } from '../../grpc/contract-rules.ts';

type RecordStream = StreamCall<RecordChargesRequest, RecordChargesResponse>;

/** Items that are recorded together: those that had arrived when a place for them was free. */
interface Chunk {
  readonly items: readonly Item[];
  answer: readonly RecordResult[] | undefined;
  error: unknown;
}

/**
 * Chunks with the recorder at once. More than one, because the writers work in parallel and a
 * chunk is answered only at its commit; few, so that waiting items gather into large chunks.
 */
const CHUNKS_MAX = 4;

/**
 * The work of one stream. What is read and not answered is the stream's share of the window; reading
 * stops while there is no room for more or the caller does not take its answers.
 */
export class RecordChargesWork implements StreamWork {
  readonly #stream: RecordStream;
  readonly #call: ServerDuplexStream<Buffer, RecordChargesResponse>;
  readonly #recorder: ChargeRecorder;
  readonly #check: Check<CreateChargeRequest>;
  readonly #share: RecordShare;
  readonly #traceparent: string | undefined;
  readonly #chunks: Chunk[] = [];
  #arrived: Item[] = [];
  /** Items that are with the recorder. */
  #recording = 0;
  #scheduled = false;
  #writable = true;
  /** Nothing more is read; once all is answered, the stream ends like this. */
  #ending: 'ok' | Failure | undefined = undefined;

  constructor(
    stream: RecordStream,
    call: ServerDuplexStream<Buffer, RecordChargesResponse>,
    recorder: ChargeRecorder,
    check: Check<CreateChargeRequest>,
  ) {
    this.#stream = stream;
    this.#call = call;
    this.#recorder = recorder;
    this.#check = check;
    this.#share = stream.border.recordWindow.share(() => this.#regulate());
    this.#traceparent = traceparentOf(stream);
  }

  /** Begins to read. */
  start(): void {
    this.#stream.workedOnBy(this);
    this.#call.on('data', (bytes: Buffer) => this.#guard(() => this.#read(bytes)));
    this.#call.on('end', () => this.#endWith('ok'));
    this.#stream.onFramedTaken(() => {
      this.#writable = true;
      this.#regulate();
    });
  }

  onCancel(): void {
    this.#letGo();
  }

  onDrain(failure: Failure): void {
    this.#endWith(failure);
  }

  #read(bytes: Buffer): void {
    // Pausing takes effect behind what was delivered already.
    if (this.#ending !== undefined || this.#stream.over) return;
    const { method } = this.#stream;
    const limitBytes = method.messageBytesMax;
    if (bytes.length > limitBytes) {
      const sizeBytes = bytes.length;
      this.#endWith({ kind: 'message_too_large', limitBytes, sizeBytes });
      return;
    }
    const message = method.decode(bytes);
    if (message === undefined) {
      this.#endWith({ kind: 'malformed_message' });
      return;
    }
    const item = fromProtoItem(message.request, this.#check, this.#traceparent);
    if ('rejection' in item) this.#stream.border.metrics.refused('VALIDATION_FAILED');
    this.#arrived.push(item);
    this.#share.take();
    this.#stream.counters.streamed('received', 1);
    this.#regulate();
    this.#schedule();
  }

  /** Lets everything that arrives in this turn of the event loop join the chunk. */
  #schedule(): void {
    if (this.#scheduled || this.#chunks.length >= CHUNKS_MAX) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#guard(() => this.#recordArrived());
    });
  }

  #recordArrived(): void {
    const items = this.#arrived;
    if (this.#stream.over || items.length === 0 || this.#chunks.length >= CHUNKS_MAX) return;
    this.#arrived = [];
    const chunk: Chunk = { items, answer: undefined, error: undefined };
    this.#chunks.push(chunk);
    this.#recording += items.length;
    void this.#record(chunk).finally(() => {
      this.#recording -= items.length;
      this.#guard(() => this.#answer());
    });
  }

  /** A defect ends this stream, not the process: nobody above an event listener catches it. */
  #guard(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#stream.failWith(error);
    }
    this.#letGo();
  }

  async #record(chunk: Chunk): Promise<void> {
    const requests = requestsOf(chunk.items);
    const { tenant, signal } = this.#stream;
    // A stream is slowed down, not refused: what it hands over is bounded by the window.
    const options = { signal, admitted: true };
    try {
      chunk.answer = requests.length === 0 ? [] : await this.#recorder.record(tenant, requests, options);
    } catch (error) {
      chunk.error = error;
    }
  }

  /** Sends the answers that are next in order. */
  #answer(): void {
    if (this.#stream.over) return;
    for (let chunk = this.#chunks[0]; chunk !== undefined; chunk = this.#chunks[0]) {
      if (chunk.error !== undefined) {
        this.#stream.failWith(chunk.error);
        return;
      }
      if (chunk.answer === undefined) break;
      this.#chunks.shift();
      this.#send(chunk.items, chunk.answer);
      if (this.#stream.over) return;
    }
    if (this.#arrived.length > 0) this.#schedule();
    this.#regulate();
    this.#endOnceAnswered();
  }

  #send(items: readonly Item[], results: readonly RecordResult[]): void {
    const responses = toProtoResults(items, results).map((result) => ({ result }));
    const bytes = encodeFramed(RecordChargesResponse, responses);
    // First: where the stream turns out to be over, everything else is given back at once.
    this.#share.giveBack(items.length);
    if (!this.#stream.writeFramed(bytes)) this.#writable = false;
    if (!this.#stream.over) this.#stream.counters.streamed('sent', items.length);
  }

  #regulate(): void {
    if (this.#stream.over) return;
    const stop = this.#ending !== undefined || !this.#writable || !this.#share.mayRead();
    if (stop !== this.#call.isPaused()) {
      if (stop) this.#call.pause();
      else this.#call.resume();
    }
  }

  #endWith(ending: 'ok' | Failure): void {
    this.#ending ??= ending;
    this.#regulate();
    this.#endOnceAnswered();
  }

  #endOnceAnswered(): void {
    if (this.#ending === undefined || this.#share.items > 0) return;
    if (this.#ending === 'ok') this.#stream.end();
    else this.#stream.fail(this.#ending);
    this.#letGo();
  }

  /**
   * Once the stream is over, gives back all but what is with the recorder: for that, the stream
   * keeps its share and its place, also behind a cancellation.
   */
  #letGo(): void {
    if (!this.#stream.over) return;
    this.#arrived = [];
    this.#share.giveBack(this.#share.items - this.#recording);
    if (this.#recording === 0) this.#stream.close();
  }
}
