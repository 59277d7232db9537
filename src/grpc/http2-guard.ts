/**
 * Protection against hostile clients for which grpc-js 1.14 has no option. The only file that knows
 * Node's HTTP/2: it gives Node's own limits to the HTTP/2 server that grpc-js makes, and looks at each
 * stream before grpc-js does.
 */

import type * as Http2 from 'node:http2';
import type { Http2Server, IncomingHttpHeaders, ServerHttp2Stream, ServerOptions } from 'node:http2';
import { createRequire } from 'node:module';

import { type ConnectionInjector, type Server, ServerCredentials } from '@grpc/grpc-js';

import { deadlineExceeded, type Failure, messageTooLarge } from '../errors/failure.ts';
import type { Admission } from './admission.ts';
import { callTimeout, COMPRESSED, headerListBytes, isCompressed } from './call-headers.ts';
import type { RpcLimits } from './limits.ts';
import { MessageArrival } from './message-arrival.ts';
import { toCallError } from './status.ts';

// grpc-js calls the functions of this very object, which an ES import cannot change.
const http2 = createRequire(import.meta.url)('node:http2') as typeof Http2;

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

const SWEEP_MS = 250;

/** Lower than Node's defaults: 128 header pairs, 1,000 resets at once and 33 a second, 32 settings. */
const HTTP2_OPTIONS: ServerOptions = {
  maxHeaderListPairs: 64,
  streamResetBurst: 200,
  streamResetRate: 20,
  maxSettings: 16,
};
const HEADER_LIST_BYTES_MAX = 16 * 1024;

/** A call whose request is still arriving, or a unary call that is still open. */
interface OpenStream {
  readonly stream: ServerHttp2Stream;
  readonly startedAtMs: number;
  readonly isUnary: boolean;
  arrived: boolean;
}

/** Lets connections into a server, through the guard. Throws a TypeError if grpc-js does not work as expected. */
export function guardedInjector(
  server: Server,
  methods: ReadonlyMap<string, GuardedMethod>,
  admission: Admission,
  limits: RpcLimits,
): ConnectionInjector & { stop(): void } {
  const [http2Server, injector] = captureHttp2Server(() =>
    server.createConnectionInjector(ServerCredentials.createInsecure()),
  );
  const [serve] = http2Server.listeners('stream') as ((stream: ServerHttp2Stream, headers: object) => void)[];
  if (serve === undefined) throw new TypeError('grpc-js does not listen for streams');
  http2Server.removeAllListeners('stream');
  const guard = new Http2Guard(methods, admission, limits);
  http2Server.on('stream', (stream, headers) => {
    if (guard.admits(stream, headers)) serve.call(http2Server, stream, headers);
  });
  return Object.assign(injector, { stop: () => guard.stop() });
}

function captureHttp2Server<T>(create: () => T): [Http2Server, T] {
  const { createServer } = http2;
  let created: Http2Server | undefined;
  http2.createServer = ((options: ServerOptions) => {
    const settings = { ...options.settings, maxHeaderListSize: HEADER_LIST_BYTES_MAX };
    return (created = createServer({ ...options, ...HTTP2_OPTIONS, settings }));
  }) as typeof createServer;
  try {
    const result = create();
    if (created === undefined)
      throw new TypeError('grpc-js does not make its HTTP/2 server with createServer');
    return [created, result];
  } finally {
    http2.createServer = createServer;
  }
}

class Http2Guard {
  readonly #methods: ReadonlyMap<string, GuardedMethod>;
  readonly #admission: Admission;
  readonly #limits: RpcLimits;
  /** In the order of their start. */
  readonly #open = new Set<OpenStream>();
  readonly #timer: NodeJS.Timeout;

  constructor(methods: ReadonlyMap<string, GuardedMethod>, admission: Admission, limits: RpcLimits) {
    this.#methods = methods;
    this.#admission = admission;
    this.#limits = limits;
    this.#timer = setInterval(() => this.#sweep(), SWEEP_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** False: the stream has its answer, or needs none. */
  admits(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): boolean {
    // After a deadline grpc-js may write to a stream that it has ended, which would stay half open.
    stream.on('error', () => stream.close(http2.constants.NGHTTP2_CANCEL));
    // After a reset, a stream closes only once what arrived before it was read, which may be never.
    stream.once('aborted', () => stream.resume());
    // Reset in the same packet in which it began: grpc-js would answer it, and throw.
    if (stream.destroyed || stream.closed) return false;
    // Node holds a client to the maximum only once the client has acknowledged the settings.
    if (stream.session?.pendingSettingsAck === true && headerListBytes(headers) > HEADER_LIST_BYTES_MAX) {
      stream.close(http2.constants.NGHTTP2_ENHANCE_YOUR_CALM);
      return false;
    }
    const timeout = callTimeout(headers['grpc-timeout']);
    const failure = isCompressed(headers['grpc-encoding']) ? COMPRESSED : timeout.failure;
    if (failure !== undefined) return refuse(stream, failure);
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
      const failure = this.#failureOf(arrival, requestBytesMax) ?? acquire(arrival.keptBytes);
      if (failure !== undefined) refuse(stream, failure);
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
  ): Failure | undefined {
    if (compressed) return COMPRESSED;
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
      if (!arrived) refuse(stream, deadlineExceeded());
      else if (ageMs > requestArrivalMaxMs + 2 * deadlineMaxMs) stream.close(http2.constants.NGHTTP2_CANCEL);
    }
  }
}

/** Answers a call with a failure and takes nothing more of its request. */
function refuse(stream: ServerHttp2Stream, failure: Failure): false {
  if (stream.destroyed || stream.closed) return false;
  if (!stream.headersSent) {
    const { code, details, metadata } = toCallError(failure);
    stream.respond(
      {
        ':status': 200,
        'content-type': 'application/grpc+proto',
        'grpc-accept-encoding': 'identity',
        'grpc-status': code,
        'grpc-message': encodeURI(details),
        ...metadata.toHttp2Headers(),
      },
      { endStream: true },
    );
  }
  stream.close(http2.constants.NGHTTP2_NO_ERROR);
  return false;
}
