/**
 * What grpc-js 1.14 leaves to be set right on the HTTP/2 servers below it. It keeps them to itself;
 * hence the look inside, and the tests that fail should it keep them elsewhere.
 */

import type { Server } from '@grpc/grpc-js';
import type { Http2Server, IncomingHttpHeaders, ServerHttp2Session } from 'node:http2';

const TIMEOUT = 'grpc-timeout';
const UNIT_MS: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000 };

/** The longest timeout that grpc-js keeps: it counts milliseconds in 32 bits. */
const TIMEOUT_MAX_MS = 2 ** 31 - 1;
const TIMEOUT_MAX = '596H';

/** A `grpc-timeout` as grpc-js can keep it: from 597 hours on, its counter wraps and the call ends at once. */
export function cappedTimeout(value: string): string {
  const [, digits, unit] = /^(\d{1,8})([HMS])$/.exec(value) ?? [];
  if (digits === undefined || unit === undefined) return value;
  return Number(digits) * (UNIT_MS[unit] ?? 0) > TIMEOUT_MAX_MS ? TIMEOUT_MAX : value;
}

/**
 * Caps timeouts on everything that a bound server listens on: here, because grpc-js reads the
 * header before any interceptor runs.
 */
export function capTimeouts(server: Server): void {
  for (const http2Server of http2Servers(server).keys()) {
    if (http2Server.listeners('stream').includes(capTimeout)) continue;
    http2Server.prependListener('stream', capTimeout);
  }
}

/** Cuts every connection that is left: forceShutdown of grpc-js leaves them without channelz. */
export function cutConnections(server: Server): void {
  for (const { sessions } of http2Servers(server).values()) {
    for (const session of sessions) session.destroy();
  }
}

type Http2Servers = Map<Http2Server, { readonly sessions: ReadonlySet<ServerHttp2Session> }>;

function http2Servers(server: Server): Http2Servers {
  const { http2Servers: servers } = server as unknown as { http2Servers?: Http2Servers };
  if (servers === undefined) throw new TypeError('grpc-js keeps its HTTP/2 servers elsewhere');
  return servers;
}

function capTimeout(_stream: unknown, headers: IncomingHttpHeaders): void {
  const timeout = headers[TIMEOUT];
  if (typeof timeout === 'string') headers[TIMEOUT] = cappedTimeout(timeout);
}
