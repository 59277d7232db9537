/**
 * The HTTP/2 server that grpc-js makes for itself. grpc-js 1.14 gives it to nobody and has no option for Node's
 * limits, so it is caught when grpc-js calls `http2.createServer`.
 */

import type * as Http2 from 'node:http2';
import type { Http2Server, IncomingHttpHeaders, ServerHttp2Stream, ServerOptions } from 'node:http2';
import { createRequire } from 'node:module';

import { type ConnectionInjector, type Server, ServerCredentials } from '@grpc/grpc-js';

// grpc-js calls the functions of this very object, which an ES import cannot change.
const http2 = createRequire(import.meta.url)('node:http2') as typeof Http2;

/** Lower than Node's defaults: 128 header pairs, 1,000 resets at once and 33 a second, 32 settings. */
const HTTP2_OPTIONS: ServerOptions = {
  maxHeaderListPairs: 64,
  streamResetBurst: 200,
  streamResetRate: 20,
  maxSettings: 16,
};
/** Names, values and 32 bytes for each header of a request. */
export const HEADER_LIST_BYTES_MAX = 16 * 1024;

/** Whether grpc-js gets a stream. False: the stream was answered or closed. */
export type AdmitStream = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => boolean;

/**
 * Lets connections into a server. Each stream goes through `admits` before grpc-js sees it. Throws a TypeError if
 * grpc-js does not work as expected.
 */
export function injectorWith(server: Server, admits: AdmitStream): ConnectionInjector {
  const [http2Server, injector] = captureHttp2Server(() =>
    server.createConnectionInjector(ServerCredentials.createInsecure()),
  );
  const [serve] = http2Server.listeners('stream') as ((stream: ServerHttp2Stream, headers: object) => void)[];
  if (serve === undefined) throw new TypeError('grpc-js does not listen for streams');
  http2Server.removeAllListeners('stream');
  http2Server.on('stream', (stream, headers) => {
    if (!admits(stream, headers)) return;
    starting = stream;
    try {
      serve.call(http2Server, stream, headers);
    } finally {
      starting = undefined;
    }
  });
  return injector;
}

let starting: ServerHttp2Stream | undefined;

/**
 * The HTTP/2 stream of the call that is just starting. For handlers of methods with a stream of requests, which
 * grpc-js calls while the stream starts; undefined for all others.
 */
export function startingStream(): ServerHttp2Stream | undefined {
  return starting;
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
