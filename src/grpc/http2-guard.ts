/**
 * Protection against hostile clients for which grpc-js 1.14 has no option: compression, timeouts, requests that do
 * not arrive, responses that are not read, and the bytes that arrive.
 */

import { constants, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2';

import { status as Code } from '@grpc/grpc-js';

import { deadlineExceeded, type Failure, messageTooLarge } from '../errors/failure.ts';
import type { Admission } from './admission.ts';
import {
  callTimeout,
  COMPRESSED,
  headerListBytes,
  type Headers,
  isCompressed,
  REQUEST_ID_HEADER,
  requestIdOf,
} from './call-headers.ts';
import { logFailedCall, type LoggedCall } from './call-log.ts';
import type { MethodName, RpcContext, RpcLogger } from './context.ts';
import { type RpcLimits, SMALL_REQUEST_BYTES_MAX } from './limits.ts';
import { HEADER_LIST_BYTES_MAX } from './http2-server.ts';
import { MessageArrival } from './message-arrival.ts';
import { methodName } from './service.ts';
import { toCallError } from './status.ts';

/** What the guard knows of a method. */
export interface GuardedMethod {
  readonly name: MethodName;
  readonly requestBytesMax: number;
  readonly requestStream: boolean;
  readonly responseStream: boolean;
}

/** No method is called by this path, so grpc-js answers UNIMPLEMENTED whatever the request is. */
function unknownMethod(path: string): GuardedMethod {
  const streams = { requestStream: false, responseStream: false };
  return { name: methodName({ path, ...streams }), requestBytesMax: SMALL_REQUEST_BYTES_MAX, ...streams };
}

type GuardContext = Pick<RpcContext, 'admission' | 'limits' | 'logger' | 'metrics'>;

const SWEEP_MS = 250;
/** A valid item of a stream has 26 KB at most. Larger ones are counted while they arrive. */
const STREAM_ITEM_BYTES_FREE = 64 * 1024;

/** A call as it arrives. */
class ArrivingCall implements LoggedCall {
  readonly startedAtMs = performance.now();
  readonly tenant = '';
  readonly stream: ServerHttp2Stream;
  readonly method: GuardedMethod;
  /** The request is complete, or need not be. */
  arrived: boolean;
  readonly #headers: IncomingHttpHeaders;

  constructor(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, method: GuardedMethod) {
    this.stream = stream;
    this.method = method;
    this.arrived = method.requestStream;
    this.#headers = headers;
  }

  get name(): MethodName {
    return this.method.name;
  }

  get isUnary(): boolean {
    return !this.method.requestStream && !this.method.responseStream;
  }

  get peer(): string {
    const { remoteAddress = 'unknown', remotePort } = this.stream.session?.socket ?? {};
    return remotePort === undefined ? remoteAddress : `${remoteAddress}:${remotePort}`;
  }

  header(name: string): string | undefined {
    const value = this.#headers[name];
    return typeof value === 'string' ? value : undefined;
  }
}

/** Looks at each stream before grpc-js does. */
export class Http2Guard {
  readonly #methods: ReadonlyMap<string, GuardedMethod>;
  readonly #admission: Admission;
  readonly #limits: RpcLimits;
  readonly #logger: RpcLogger;
  readonly #refused: (reason: string) => void;
  /** Calls whose request is still arriving, and unary calls that are still open, in the order of their start. */
  readonly #open = new Set<ArrivingCall>();
  /** Closed by the guard: what was written to them is still on its way. */
  readonly #closing = new WeakSet<ServerHttp2Stream>();
  readonly #timer: NodeJS.Timeout;

  constructor(
    methods: ReadonlyMap<string, GuardedMethod>,
    { admission, limits, logger, metrics }: GuardContext,
  ) {
    this.#methods = methods;
    this.#admission = admission;
    this.#limits = limits;
    this.#logger = logger;
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
    const path = headers[':path'] ?? '';
    const method = this.#methods.get(path);
    const call = new ArrivingCall(stream, headers, method ?? unknownMethod(path));
    if (headers[REQUEST_ID_HEADER] !== undefined) returnRequestId(stream, call);
    const timeout = callTimeout(headers['grpc-timeout']);
    const failure = isCompressed(headers['grpc-encoding']) ? COMPRESSED : timeout.failure;
    if (failure !== undefined) return this.#refuse(call, failure);
    if (timeout.value !== undefined) headers['grpc-timeout'] = timeout.value;
    if (method === undefined) {
      logFailedCall(this.#logger, call, { code: Code.UNIMPLEMENTED, reason: undefined, durationMs: 0 });
    }
    this.#watch(call);
    return true;
  }

  #watch(call: ArrivingCall): void {
    const { stream, method, isUnary } = call;
    const { requestBytesMax, requestStream } = method;
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
      if (failure !== undefined) this.#refuse(call, failure);
    });
    // From here on, the call itself counts its request.
    stream.once('end', () => {
      acquire(0);
      call.arrived = true;
      if (!isUnary) this.#open.delete(call);
    });
    stream.once('close', () => {
      acquire(0);
      this.#open.delete(call);
    });
    if (!requestStream) this.#open.add(call);
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
    for (const call of this.#open) {
      const ageMs = now - call.startedAtMs;
      if (ageMs < requestArrivalMaxMs) return;
      if (!call.arrived) this.#refuse(call, deadlineExceeded());
      else if (ageMs > requestArrivalMaxMs + 2 * deadlineMaxMs)
        this.#close(call.stream, constants.NGHTTP2_CANCEL);
    }
  }

  /** Answers a call with a failure and reads nothing more of its request. */
  #refuse(call: ArrivingCall, failure: Failure): false {
    const { stream, startedAtMs } = call;
    if (stream.destroyed || stream.closed) return false;
    this.#refused(failure.reason);
    const end = { code: Code[failure.code], reason: failure.reason };
    logFailedCall(this.#logger, call, { ...end, durationMs: performance.now() - startedAtMs });
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

/** Adds the caller's `x-request-id` to the headers of the response, whoever sends them. */
function returnRequestId(stream: ServerHttp2Stream, headers: Headers): void {
  const requestId = requestIdOf(headers);
  if (requestId === undefined) return;
  const respond = stream.respond.bind(stream);
  stream.respond = (response, options) => respond({ ...response, [REQUEST_ID_HEADER]: requestId }, options);
}
