/** Long streams: what RecordCharges and WatchCharges have in common. */

import { Metadata, type ServerDuplexStream, type ServerWritableStream, status as Code } from '@grpc/grpc-js';

import type { Failure } from '../errors/service-error.ts';
import type { Border, Call, Method } from './call.ts';
import { headerOf } from './call-headers.ts';
import { failureOf } from './internal-error.ts';
import type { MethodMetrics } from './dependencies.ts';
import { type BorderFailure, describeFailure } from './errors.ts';
import { http2StreamOf } from './http2-servers.ts';
import type { LongStream, StreamKind } from './long-streams.ts';
import { toCallError } from './status.ts';

/** The server's side of a stream of responses, with or without a stream of requests. */
export type ServerStream<Res> = ServerWritableStream<Buffer, Res> | ServerDuplexStream<Buffer, Res>;

/** What a method does with its stream. */
export interface StreamWork {
  /** The caller is gone: take nothing more in. */
  onCancel(): void;
  /** The server drains: answer what was taken in, then call `fail` with this failure. */
  onDrain(failure: Failure): void;
}

/** What all calls of a streaming method share. */
export interface StreamEndpoint<Req> {
  readonly method: Method<Req>;
  readonly kind: StreamKind;
  readonly border: Border;
  readonly counters: MethodMetrics;
}

/** Made once per method, at start-up: to look the counters up takes longer than to count. */
export function streamEndpoint<Req>(
  method: Method<Req>,
  kind: StreamKind,
  border: Border,
): StreamEndpoint<Req> {
  return { method, kind, border, counters: border.metrics.method(method.name) };
}

/**
 * One open stream. It ends once, by `end`, `fail` or the caller; its place is free after `close`,
 * when the method's own work is done.
 */
export class StreamCall<Req, Res> implements Call<Req>, LongStream {
  readonly method: Method<Req>;
  readonly kind: StreamKind;
  readonly border: Border;
  readonly counters: MethodMetrics;
  readonly bytes: Buffer;
  request: Req | undefined = undefined;
  tenant = '';
  readonly #call: ServerStream<Res>;
  readonly #controller = new AbortController();
  readonly #startedAtMs = performance.now();
  #work: StreamWork | undefined = undefined;
  #over = false;

  constructor({ method, kind, border, counters }: StreamEndpoint<Req>, call: ServerStream<Res>) {
    this.method = method;
    this.kind = kind;
    this.border = border;
    this.counters = counters;
    this.bytes = 'request' in call ? call.request : NO_BYTES;
    this.#call = call;
    call.once('cancelled', () => this.#onCancel());
  }

  get sizeBytes(): number {
    return this.bytes.length;
  }

  header(name: string): string | undefined {
    return headerOf(this.#call.metadata, name);
  }

  /** Aborted as soon as the stream is over, however it ended. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Whether nothing can be sent any more. */
  get over(): boolean {
    return this.#over;
  }

  /** Takes a place among the open streams. */
  hold(): Failure | undefined {
    return this.border.streams.open(this);
  }

  /** Who is told about cancellation and drain. */
  workedOnBy(work: StreamWork): void {
    this.#work = work;
  }

  /** Sends the headers, which tells the caller that the stream stands. */
  sendHeaders(): void {
    if (!this.#over) this.#call.sendMetadata(new Metadata());
  }

  /** Sends a response; false: the caller does not keep up, wait for `onceWritable`. */
  write(response: Res): boolean {
    return this.#over || this.#call.write(response);
  }

  /**
   * Sends responses that are framed already, for a method that sends all of its responses so: grpc-js
   * makes one write of each response, which costs more than everything else on their way out. False:
   * the caller does not keep up, wait for `onFramedTaken`.
   */
  writeFramed(bytes: Buffer): boolean {
    const stream = http2StreamOf(this.#call);
    if (this.#over) return true;
    if (!stream.writable) {
      // The deadline passed, and grpc-js tells about it only once the caller has taken what waits.
      this.#onCancel();
      return true;
    }
    if (!stream.headersSent) this.sendHeaders();
    return stream.write(bytes);
  }

  /** Calls back whenever the caller has taken what `writeFramed` was given. */
  onFramedTaken(callback: () => void): void {
    const stream = http2StreamOf(this.#call);
    stream.on('drain', callback);
    // A reset closes a stream only once the requests before it are read, which may be never.
    stream.once('aborted', () => this.#onCancel());
  }

  /** Calls back once the caller has taken what was written; never where the stream is over. */
  onceWritable(callback: () => void): void {
    this.#call.once('drain', callback);
  }

  /** Ends the stream with OK, after everything that was written. */
  end(): void {
    if (!this.#finish(Code.OK)) return;
    this.#call.end();
  }

  /** Ends the stream with a failure, after everything that was written. */
  fail(failure: BorderFailure): void {
    const { code, reason } = describeFailure(failure);
    if (!this.#finish(code)) return;
    this.border.metrics.refused(reason);
    this.#call.emit('error', toCallError(failure));
  }

  /** Ends the stream with what an error means to the caller. */
  failWith(error: unknown): void {
    if (!this.#over) this.fail(failureOf(error, this.method.name, this.border.logger));
  }

  /** The method's own work is done, and its place is free. */
  close(): void {
    this.border.streams.close(this);
  }

  drain(failure: Failure): void {
    if (this.#work === undefined) this.fail(failure);
    else this.#work.onDrain(failure);
  }

  cut(failure: Failure): void {
    this.fail(failure);
  }

  #onCancel(): void {
    // grpc-js tells about the end of every stream here, also of those that succeeded.
    if (this.#finish(Code.CANCELLED)) this.#work?.onCancel();
  }

  #finish(code: Code): boolean {
    if (this.#over) return false;
    this.#over = true;
    this.#controller.abort('the stream is over');
    this.counters.finished(code, (performance.now() - this.#startedAtMs) / 1000);
    return true;
  }
}

const NO_BYTES = Buffer.alloc(0);
