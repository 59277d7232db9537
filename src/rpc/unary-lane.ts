/**
 * A lane beside grpc-js: plain calls of our unary methods are answered straight on node:http2. All
 * else (compressed, oddly typed, unknown, streaming) is left to grpc-js, as are the connections.
 */

import type { IncomingHttpHeaders } from 'node:http2';

import type { StreamTaker } from './http2-servers.ts';
import { Http2UnaryCall } from './http2-unary.ts';
import { plainTimeoutMs } from './timeout.ts';
import type { UnaryEndpoint } from './unary-transport.ts';

const CONTENT_TYPES: ReadonlySet<unknown> = new Set(['application/grpc', 'application/grpc+proto']);
const ENCODINGS: ReadonlySet<unknown> = new Set([undefined, 'identity']);

/** Takes the plain calls of these methods. */
export function unaryLane(endpoints: readonly UnaryEndpoint[]): StreamTaker {
  const byPath = new Map<unknown, UnaryEndpoint>(endpoints.map((endpoint) => [endpoint.path, endpoint]));
  return (stream, headers, countIn) => {
    const endpoint = byPath.get(headers[':path']);
    if (endpoint === undefined || !isPlain(headers)) return false;
    const timeoutMs = plainTimeoutMs(headers['grpc-timeout']);
    if (timeoutMs === undefined) return false;
    new Http2UnaryCall(endpoint, stream, headers, timeoutMs, countIn(stream));
    return true;
  };
}

function isPlain(headers: IncomingHttpHeaders): boolean {
  return (
    headers[':method'] === 'POST' &&
    CONTENT_TYPES.has(headers['content-type']) &&
    ENCODINGS.has(headers['grpc-encoding'])
  );
}
