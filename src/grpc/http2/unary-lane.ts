/**
 * Which requests the lane takes: plain calls of our unary methods. All else (compressed, oddly
 * typed, malformed, unknown, streaming) is left to node:http2 and grpc-js, and is theirs to refuse.
 */

import { plainTimeoutMs } from '../timeout.ts';
import type { UnaryEndpoint } from '../unary-transport.ts';
import { fieldBytes, type HeaderField } from './hpack-tables.ts';
import type { Lane } from './junction.ts';
import { LaneTransport } from './lane-transport.ts';

/** Takes the plain calls of these methods. */
export function unaryLane(endpoints: readonly UnaryEndpoint[]): Lane {
  const byPath = new Map(endpoints.map((endpoint) => [endpoint.path, endpoint]));
  return (fields) => {
    const plain = plainCall(fields);
    const endpoint = byPath.get(plain?.path ?? '');
    if (plain === undefined || endpoint === undefined) return undefined;
    const head = { fields, bytes: listBytes(fields), timeoutMs: plain.timeoutMs };
    return (stream) => new LaneTransport(endpoint, stream, head);
  };
}

function listBytes(fields: readonly HeaderField[]): number {
  return fields.reduce((sum, field) => sum + fieldBytes(field), 0);
}

interface PlainCall {
  readonly path: string;
  readonly timeoutMs: number;
}

/** RFC 9113, 8.2.1: no upper case; and what no header may contain. */
const NAME = /^[a-z0-9!#$%&'*+.^_`|~-]+$/;
const VALUE = /^(?![ \t])[\t\x20-\x7e]*(?<![ \t])$/;

/** A call without anything that node:http2 or grpc-js might treat in another way. */
function plainCall(fields: readonly HeaderField[]): PlainCall | undefined {
  const known = new Map<string, string>();
  let pseudo = true;
  for (const [name, value] of fields) {
    if (name.startsWith(':') ? !pseudo : !NAME.test(name)) return undefined;
    pseudo = name.startsWith(':');
    if (!VALUE.test(value)) return undefined;
    const rule = RULES.get(name);
    if (rule === undefined) {
      if (pseudo) return undefined;
    } else {
      if (known.has(name) || !rule(value)) return undefined;
      known.set(name, value);
    }
  }
  const path = known.get(':path');
  const timeoutMs = plainTimeoutMs(known.get('grpc-timeout'));
  const complete = REQUIRED.every((name) => known.has(name));
  return complete && path !== undefined && timeoutMs !== undefined ? { path, timeoutMs } : undefined;
}

const REQUIRED = [':method', ':scheme', ':authority', 'content-type'];

type Rule = (value: string) => boolean;
const anything: Rule = () => true;
const nothing: Rule = () => false;

/** What these say in a plain call, where each may stand once; of others nothing is expected. */
const RULES: ReadonlyMap<string, Rule> = new Map([
  [':method', (value) => value === 'POST'],
  [':scheme', (value) => value === 'http' || value === 'https'],
  [':path', anything],
  [':authority', anything],
  ['content-type', (value) => value === 'application/grpc' || value === 'application/grpc+proto'],
  ['te', (value) => value === 'trailers'],
  ['grpc-encoding', (value) => value === 'identity'],
  ['grpc-timeout', anything],
  // Whoever promises a length has to keep it, and connections are not ruled by headers (8.1.1, 8.2.2).
  ['content-length', nothing],
  ['connection', nothing],
  ['host', nothing],
  ['keep-alive', nothing],
  ['proxy-connection', nothing],
  ['transfer-encoding', nothing],
  ['upgrade', nothing],
] satisfies [string, Rule][]);
