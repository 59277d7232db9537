/** Header blocks (HPACK, RFC 7541) of a client that always sends the same headers. */

/** Indexes of the static table. */
const STATIC = {
  authority: 1,
  methodPost: 3,
  path: 4,
  schemeHttp: 6,
  schemeHttps: 7,
  authorization: 23,
  contentType: 31,
  userAgent: 58,
} as const;
const INDEXED = 0x80;
const LITERAL_INDEXED = 0x40;
/** The dynamic table begins here; the newest entry comes first. */
const DYNAMIC_FIRST = 62;

/**
 * The headers of the calls of one connection. The first block puts them into the server's dynamic
 * table, as other gRPC clients do, and all later blocks refer to it: seven bytes a call.
 */
export class RequestHeaders {
  readonly #first: Buffer;
  readonly #later: Buffer;
  #sent = false;

  /** `authorization`: the value of that header; absent: none is sent. */
  constructor(authority: string, path: string, authorization?: string) {
    const literals = [
      literal(STATIC.path, path),
      literal(STATIC.authority, authority),
      literal(STATIC.contentType, 'application/grpc'),
      literal('te', 'trailers'),
      literal(STATIC.userAgent, 'charge-service-bench'),
      ...(authorization === undefined ? [] : [literal(STATIC.authorization, authorization)]),
    ];
    const scheme = authorization === undefined ? STATIC.schemeHttp : STATIC.schemeHttps;
    const fixed = [INDEXED | STATIC.methodPost, INDEXED | scheme];
    this.#first = Buffer.concat([Buffer.from(fixed), ...literals]);
    const oldest = DYNAMIC_FIRST + literals.length - 1;
    this.#later = Buffer.from([...fixed, ...literals.map((_, index) => INDEXED | (oldest - index))]);
  }

  /** The block of the next call. */
  next(): Buffer {
    if (this.#sent) return this.#later;
    this.#sent = true;
    return this.#first;
  }
}

function literal(name: number | string, value: string): Buffer {
  const named =
    typeof name === 'number' ? Buffer.from([LITERAL_INDEXED | name]) : text(LITERAL_INDEXED, name);
  return Buffer.concat([named, text(undefined, value)]);
}

function text(first: number | undefined, value: string): Buffer {
  if (value.length > 126) throw new RangeError('header values of up to 126 bytes only');
  const bytes = Buffer.from(value, 'latin1');
  return Buffer.concat([Buffer.from(first === undefined ? [bytes.length] : [first, bytes.length]), bytes]);
}

/** `grpc-status` with its length, plain and in HPACK's Huffman code. */
const STATUS_NAMES = [Buffer.from('\x0bgrpc-status', 'latin1'), Buffer.from('889acac8b21234da8f', 'hex')];

/**
 * The value of `grpc-status` in a block of trailers; -1 if there is none. The block need not be decoded:
 * this client allows no dynamic table, so the name stands in it, and node:http2 leaves digits as they
 * are, because Huffman's code does not make them shorter.
 */
export function trailerStatus(block: Buffer): number {
  for (const name of STATUS_NAMES) {
    const at = block.indexOf(name);
    if (at < 0) continue;
    const start = at + name.length + 1;
    const digits = block.toString('latin1', start, start + (block[start - 1] ?? 0));
    return /^\d+$/.test(digits) ? Number(digits) : -1;
  }
  return -1;
}
