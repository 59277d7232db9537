/**
 * Protection against hostile clients for which grpc-js 1.14 has no option: compression, timeouts, requests that do
 * not arrive, responses that are not read, and the bytes that arrive.
 */

import { constants, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2';

import { deadlineExceeded, type Failure, messageTooLarge } from '../errors/failure.ts';
import type { Admission } from './admission.ts';
import { callTimeout, COMPRESSED, headerListBytes, isCompressed } from './call-headers.ts';
import type { RpcContext } from './context.ts';
import type { RpcLimits } from './limits.ts';
import { HEADER_LIST_BYTES_MAX } from './http2-server.ts';
import { MessageArrival } from './message-arrival.ts';
import { toCallError } from './status.ts';

/** What the guard knows of a method; `undefined` for a path that no service has. */
export interface GuardedMethod {
  readonly requestBytesMax: number;
  readonly requestStream: boolean;
  readonly responseStream: boolean;
}

/** No method is called by this path, so grpc-js answers UNIMPLEMENTED whatever the request is. */
const UNKNOWN_METHOD: GuardedMethod = {
  requestBytesMax: 65_536,
  requestStream: false,
  responseStream: false,
};

type GuardContext = Pick<RpcContext, 'admission' | 'limits' | 'metrics'>;

const SWEEP_MS = 250;
/** A valid item of a stream has 26 KB at most. Larger ones are counted while they arrive. */
const STREAM_ITEM_BYTES_FREE = 64 * 1024;

/** A call whose request is still arriving, or a unary call that is still open. */
interface OpenStream {
  readonly stream: ServerHttp2Stream;
  readonly startedAtMs: number;
  readonly isUnary: boolean;
  arrived: boolean;
}

/** Looks at each stream before grpc-js does. */
export class Http2Guard {
  readonly #methods: ReadonlyMap<string, GuardedMethod>;
  readonly #admission: Admission;
  readonly #limits: RpcLimits;
  readonly #refused: (reason: string) => void;
  /** In the order of their start. */
  readonly #open = new Set<OpenStream>();
  /** Closed by the guard: what was written to them is still on its way. */
  readonly #closing = new WeakSet<ServerHttp2Stream>();
  readonly #timer: NodeJS.Timeout;

  constructor(methods: ReadonlyMap<string, GuardedMethod>, { admission, limits, metrics }: GuardContext) {
    this.#methods = methods;
    this.#admission = admission;
    this.#limits = limits;
    this.#refused = (reason) => metrics.refused(reason);
    this.#timer = setInterval(() => this.#sweep(), SWEEP_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** False: the stream has its answer, or needs none. */
  admits(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): boolean {
    // After a deadline grpc-js may write to a stream that it has ended, which would stay half open.
    stream.on('error', () => stream.close(constants.NGHTTP2_CANCEL));
    // A reset with NO_ERROR closes a stream only once everything was read and written, which may be never.
    stream.once('aborted', () => this.#closing.has(stream) || stream.destroy());
    // Reset in the same packet in which it began: grpc-js would answer it, and throw.
    if (stream.destroyed || stream.closed) return false;
    // Node holds a client to the maximum only once the client has acknowledged the settings.
    if (stream.session?.pendingSettingsAck === true && headerListBytes(headers) > HEADER_LIST_BYTES_MAX) {
      return this.#close(stream, constants.NGHTTP2_ENHANCE_YOUR_CALM);
    }
    const timeout = callTimeout(headers['grpc-timeout']);
    const failure = isCompressed(headers['grpc-encoding']) ? COMPRESSED : timeout.failure;
    if (failure !== undefined) return this.#refuse(stream, failure);
    if (timeout.value !== undefined) headers['grpc-timeout'] = timeout.value;
    this.#watch(stream, this.#methods.get(headers[':path'] ?? '') ?? UNKNOWN_METHOD);
    return true;
  }

  #watch(stream: ServerHttp2Stream, { requestBytesMax, requestStream, responseStream }: GuardedMethod): void {
    const isUnary = !requestStream && !responseStream;
    const open: OpenStream = { stream, startedAtMs: performance.now(), isUnary, arrived: requestStream };
    const arrival = new MessageArrival(requestStream);
    let acquired = 0;
    const acquire = (bytes: number): Failure | undefined => {
      const failure = this.#admission.acquireBytes(bytes - acquired);
      if (failure === undefined) acquired = bytes;
      return failure;
    };
    stream.on('data', (chunk: Buffer) => {
      arrival.add(chunk);
      const { keptBytes } = arrival;
      // A stream ends only for an item that is larger than any valid one.
      const counted = requestStream && keptBytes <= STREAM_ITEM_BYTES_FREE ? 0 : keptBytes;
      const failure = this.#failureOf(arrival, requestBytesMax, requestStream) ?? acquire(counted);
      if (failure !== undefined) this.#refuse(stream, failure);
    });
    // From here on, the call itself counts its request.
    stream.once('end', () => {
      acquire(0);
      open.arrived = true;
      if (!isUnary) this.#open.delete(open);
    });
    stream.once('close', () => {
      acquire(0);
      this.#open.delete(open);
    });
    if (!requestStream) this.#open.add(open);
  }

  #failureOf(
    { compressed, sizeBytes, isTrickle }: MessageArrival,
    requestBytesMax: number,
    requestStream: boolean,
  ): Failure | undefined {
    if (compressed) return COMPRESSED;
    // The method itself answers the items before it.
    if (requestStream) return undefined;
    if (sizeBytes > requestBytesMax) return messageTooLarge(requestBytesMax, sizeBytes);
    return isTrickle ? this.#admission.tooManyBytes : undefined;
  }

  /** Ends calls whose request does not arrive, and unary calls whose caller does not read the response. */
  #sweep(): void {
    const { requestArrivalMaxMs, deadlineMaxMs } = this.#limits;
    const now = performance.now();
    for (const { stream, startedAtMs, arrived } of this.#open) {
      const ageMs = now - startedAtMs;
      if (ageMs < requestArrivalMaxMs) return;
      if (!arrived) this.#refuse(stream, deadlineExceeded());
      else if (ageMs > requestArrivalMaxMs + 2 * deadlineMaxMs) this.#close(stream, constants.NGHTTP2_CANCEL);
    }
  }

  /** Answers a call with a failure and reads nothing more of its request. */
  #refuse(stream: ServerHttp2Stream, failure: Failure): false {
    if (stream.destroyed || stream.closed) return false;
    this.#refused(failure.reason);
    if (stream.headersSent) {
      // Too late for a status. Clients take ENHANCE_YOUR_CALM for RESOURCE_EXHAUSTED.
      const answered = stream.writableEnded;
      return this.#close(stream, answered ? constants.NGHTTP2_NO_ERROR : constants.NGHTTP2_ENHANCE_YOUR_CALM);
    }
    const { code, details, metadata } = toCallError(failure);
    const headers = {
      ':status': 200,
      'content-type': 'application/grpc+proto',
      'grpc-accept-encoding': 'identity',
      'grpc-status': code,
      'grpc-message': encodeURI(details),
      ...metadata.toHttp2Headers(),
    };
    stream.respond(headers, { endStream: true });
    return this.#close(stream, constants.NGHTTP2_NO_ERROR);
  }

  #close(stream: ServerHttp2Stream, code: number): false {
    this.#closing.add(stream);
    stream.close(code);
    return false;
  }
}
