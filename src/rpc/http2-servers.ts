/**
 * What grpc-js 1.14 leaves to be set right on the HTTP/2 servers below it. It keeps them to itself;
 * hence the look inside, and the tests that fail should it keep them elsewhere.
 */

import { once } from 'node:events';

import type { Server } from '@grpc/grpc-js';
import type { Http2Server, IncomingHttpHeaders, ServerHttp2Session, ServerHttp2Stream } from 'node:http2';

import { cappedTimeout } from './timeout.ts';

/**
 * Looks at a new stream before grpc-js; true: it is taken, and grpc-js never hears of it. A taker
 * calls `countIn` once for each stream that it takes.
 */
export type StreamTaker = (
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  countIn: CountIn,
) => boolean;

/**
 * Counts a stream among those that keep its connection from being idle; what it returns is to be
 * called when the stream is closed.
 */
export type CountIn = (stream: ServerHttp2Stream) => (() => void) | undefined;

/**
 * Sets right everything that a bound server listens on: timeouts are capped (here, because grpc-js
 * reads the header before any interceptor runs), and streams are offered to the taker, if there is one.
 */
export function prepareHttp2Servers(server: Server, take: StreamTaker | undefined): void {
  for (const http2Server of http2Servers(server).keys()) {
    if (prepared.has(http2Server)) continue;
    prepared.add(http2Server);
    http2Server.prependListener('stream', capTimeout);
    if (take !== undefined) putInFront(server, http2Server, take);
  }
}

const prepared = new WeakSet<Http2Server>();

function putInFront(server: Server, http2Server: Http2Server, take: StreamTaker): void {
  const records = idleRecordsOf(server);
  const countIn: CountIn = ({ session }) => {
    const record = records.get(session);
    if (record !== undefined) record.activeStreams++;
    return record?.onClose;
  };
  const others = http2Server.listeners('stream');
  http2Server.removeAllListeners('stream');
  http2Server.on('stream', (stream, headers, ...more) => {
    if (take(stream, headers, countIn)) return;
    for (const other of others) Reflect.apply(other, http2Server, [stream, headers, ...more]);
  });
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

/** The stream below a call of grpc-js, for what has to be written past it; it sends status and trailers itself. */
export function http2StreamOf(call: object): ServerHttp2Stream {
  const { stream } = (call as { call?: { stream?: ServerHttp2Stream } }).call ?? {};
  if (stream === undefined) throw new TypeError('grpc-js keeps the streams of its calls elsewhere');
  return stream;
}

type Http2Servers = Map<Http2Server, { readonly sessions: ReadonlySet<ServerHttp2Session> }>;

function http2Servers(server: Server): Http2Servers {
  const { http2Servers: servers } = server as unknown as { http2Servers?: Http2Servers };
  if (servers === undefined) throw new TypeError('grpc-js keeps its HTTP/2 servers elsewhere');
  return servers;
}

/** What grpc-js keeps about a connection that it will close when idle. */
interface IdleRecord {
  activeStreams: number;
  readonly onClose: () => void;
}

function idleRecordsOf(server: Server): ReadonlyMap<unknown, IdleRecord> {
  const { sessionIdleTimeouts } = server as unknown as { sessionIdleTimeouts?: Map<unknown, IdleRecord> };
  if (sessionIdleTimeouts === undefined)
    throw new TypeError('grpc-js counts the streams of its connections elsewhere');
  return sessionIdleTimeouts;
}

function capTimeout(_stream: unknown, headers: IncomingHttpHeaders): void {
  const timeout = headers['grpc-timeout'];
  if (typeof timeout === 'string') headers['grpc-timeout'] = cappedTimeout(timeout);
}
