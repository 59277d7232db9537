/**
 * What has to be known of the HTTP/2 servers below grpc-js 1.14. It keeps them to itself; hence the
 * look inside, and the tests that fail should it keep them elsewhere.
 */

import type { Http2Server, IncomingHttpHeaders, ServerHttp2Session, ServerHttp2Stream } from 'node:http2';
import type { Duplex } from 'node:stream';

import { type Server, ServerCredentials } from '@grpc/grpc-js';

import type { ActiveStreams } from './http2/client-connection.ts';
import { cappedTimeout } from './timeout.ts';

/**
 * Serves a connection with grpc-js; returns where it counts its open streams, if it closes idle ones.
 * Throws a TypeError where grpc-js does not serve it.
 */
export type Inject = (socket: Duplex) => ActiveStreams | undefined;

/**
 * Lets connections into a server. Timeouts are capped on their way (here, because grpc-js reads the
 * header before any interceptor runs).
 */
export function injectorOf(server: Server): Inject {
  const servers = http2Servers(server);
  const before = new Set(servers.keys());
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  const http2Server = [...servers.keys()].find((candidate) => !before.has(candidate));
  if (http2Server === undefined) throw new TypeError('grpc-js lets connections in elsewhere');
  http2Server.prependListener('stream', capTimeout);
  let session: ServerHttp2Session | undefined;
  http2Server.on('session', (opened) => {
    session = opened;
  });
  const active = activeStreamsOf(server);
  return (socket) => {
    session = undefined;
    injector.injectConnection(socket);
    // Otherwise this connection would be counted as an earlier one.
    if (session === undefined) throw new TypeError('grpc-js begins its sessions elsewhere');
    return active.get(session);
  };
}

/** The stream below a call of grpc-js, for what has to be written past it; it sends status and trailers itself. */
export function http2StreamOf(call: object): ServerHttp2Stream {
  const { stream } = (call as { call?: { stream?: ServerHttp2Stream } }).call ?? {};
  if (stream === undefined) throw new TypeError('grpc-js keeps the streams of its calls elsewhere');
  return stream;
}

function http2Servers(server: Server): ReadonlyMap<Http2Server, unknown> {
  const { http2Servers: servers } = server as unknown as { http2Servers?: Map<Http2Server, unknown> };
  if (servers === undefined) throw new TypeError('grpc-js keeps its HTTP/2 servers elsewhere');
  return servers;
}

function activeStreamsOf(server: Server): ReadonlyMap<unknown, ActiveStreams> {
  const { sessionIdleTimeouts } = server as unknown as { sessionIdleTimeouts?: Map<unknown, ActiveStreams> };
  if (sessionIdleTimeouts === undefined)
    throw new TypeError('grpc-js counts the streams of its connections elsewhere');
  return sessionIdleTimeouts;
}

function capTimeout(_stream: unknown, headers: IncomingHttpHeaders): void {
  const timeout = headers['grpc-timeout'];
  if (typeof timeout === 'string') headers['grpc-timeout'] = cappedTimeout(timeout);
}
