/** What the load process is told, and what it answers. */

/** Requests that one call carries. */
export type Body =
  /** No bytes at all: the transport alone. */
  | { readonly kind: 'empty' }
  | { readonly kind: 'create' }
  | { readonly kind: 'batch'; readonly size: number };

/** Unary calls, a fixed number in flight, until the time is over; then those in flight are waited for. */
export interface UnaryJob {
  readonly kind: 'unary';
  readonly address: string;
  /** `CreateCharge` and so on. */
  readonly method: string;
  readonly body: Body;
  readonly inFlight: number;
  readonly connections: number;
  readonly seconds: number;
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

/** Streams whose responses nobody reads, kept open for a while. */
export interface SlowReadersJob {
  readonly kind: 'slow-readers';
  readonly address: string;
  readonly recordStreams: number;
  readonly watchStreams: number;
  readonly seconds: number;
}

/** Everything that the load process can do. */
export type Job = UnaryJob | RecordJob | CallAndRowJob | SlowReadersJob;

/** What came of a job. */
export interface LoadResult {
  /** Calls, or messages of streams, that were answered OK. */
  readonly ok: number;
  /** Those answered with anything else or not at all. */
  readonly failed: number;
  /** Charges in the requests that were answered OK. */
  readonly rows: number;
  /** From the first call to the last answer. */
  readonly seconds: number;
  readonly p50Ms: number | undefined;
  readonly p99Ms: number | undefined;
  readonly maxMs: number | undefined;
}

/** From the load process to its parent. */
export type LoadMessage =
  | { readonly type: 'ready' }
  | { readonly type: 'result'; readonly result: LoadResult }
  | { readonly type: 'error'; readonly message: string };
