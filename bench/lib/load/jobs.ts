/** What the load process is told to do. */

/** Connections that the calls in flight are spread over, unless a scenario needs others. */
export const CONNECTIONS = 4;

/** Requests that one call carries. */
export type Body =
  /** No bytes at all: the transport alone. */
  | { readonly kind: 'empty' }
  | { readonly kind: 'create' }
  | { readonly kind: 'batch'; readonly size: number }
  /** VoidCharge of these charges, in this order; there must be enough of them. */
  | { readonly kind: 'void'; readonly ids: readonly string[] };

/** How callers reach a service that asks for TLS and a credential. */
export interface Access {
  /** The file of the authority that issued the server's certificate. */
  readonly caFile: string;
  /** The value of the header `authorization`. */
  readonly authorization: string;
}

/** Unary calls, a fixed number in flight, for so many seconds; then it waits for those in flight. */
export interface UnaryJob {
  readonly kind: 'unary';
  readonly address: string;
  readonly body: Body;
  readonly inFlight: number;
  readonly connections: number;
  readonly seconds: number;
  /** Absent: plain text and no credential. */
  readonly access?: Access;
}

/** RecordCharges streams, each with a fixed number of unanswered requests. */
export interface RecordJob {
  readonly kind: 'record';
  readonly address: string;
  readonly streams: number;
  readonly window: number;
  readonly seconds: number;
}

/** One caller: an empty call, then the write statement with a single row on a connection of its own. */
export interface CallAndRowJob {
  readonly kind: 'call-and-row';
  readonly address: string;
  readonly databaseUrl: string;
  readonly seconds: number;
}

/** Everything that the load process can do. */
export type Job = UnaryJob | RecordJob | CallAndRowJob;
