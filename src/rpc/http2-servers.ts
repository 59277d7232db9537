/**
 * What grpc-js 1.14 leaves to be set right on the HTTP/2 servers below it. It keeps them to itself;
 * hence the look inside, and the tests that fail should it keep them elsewhere.
 */

import { once } from 'node:events';

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

/**
 * The open connections of a server, to be asked for before its shutdown. tryShutdown takes them for
 * closed as soon as they are closing (from Node 24 on, closing an HTTP/2 server closes its sessions
 * first) and then forgets them, and forceShutdown cuts none without channelz.
 */
export function connectionsOf(server: Server): ServerHttp2Session[] {
  return [...http2Servers(server).values()].flatMap(({ sessions }) => [...sessions]);
}

/** Resolves once every connection is closed, its last answers flushed. */
export async function allClosed(connections: readonly ServerHttp2Session[]): Promise<void> {
  const open = connections.filter(({ destroyed }) => !destroyed);
  await Promise.all(open.map((session) => once(session, 'close')));
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
