/** What the gRPC border needs from the composition root. */

import type { JournalReader, ChargeReader, ChargeRecorder } from '../charges/ports.ts';

/** Everything that the border calls; it owns none of it. */
export interface RpcDependencies {
  readonly recorder: ChargeRecorder;
  readonly reader: ChargeReader;
  readonly journal: JournalReader;
  readonly logger: RpcLogger;
  readonly metrics: RpcMetrics;
  readonly limits: RpcLimits;
}

/** The part of a pino logger that is used. */
export interface RpcLogger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** Bounds of the border. Milliseconds and bytes; every one at least 1. */
export interface RpcLimits {
  /** Unary calls whose work is not done yet, over all connections. */
  readonly inFlightCallsMax: number;
  /** Open RecordCharges and WatchCharges streams; as many health and reflection streams besides. */
  readonly streamsMax: number;
  /** Unary requests that are still arriving, and all that clients have not taken; see `HeldBytes`. */
  readonly heldBytesMax: number;
  /** Largest CreateCharge request and largest item of RecordCharges: 1 MiB by the contract. */
  readonly unaryMessageBytesMax: number;
  /** Largest BatchCreateCharges request: 4 MiB by the contract. */
  readonly batchMessageBytesMax: number;
  /** Items of one RecordCharges stream that were read and not answered yet. */
  readonly recordStreamItemsMax: number;
  /** The same of all RecordCharges streams together; each may have one more. */
  readonly recordItemsMax: number;
  /** A unary call without a deadline, or with a later one, is answered after this time at the latest. */
  readonly deadlineMaxMs: number;
  /** What a refused caller is told to wait. */
  readonly retryAfterMs: number;
  /** Streams of one connection (unary calls are streams too). */
  readonly connectionStreamsMax: number;
  /** A connection is asked to go after this time … */
  readonly connectionAgeMaxMs: number;
  /** … and is cut this long after that: also the bound of calls whose request never arrives. */
  readonly connectionAgeGraceMs: number;
  /** A connection without a call is closed after this time. */
  readonly connectionIdleMaxMs: number;
  /** A silent connection is pinged after this time … */
  readonly keepaliveTimeMs: number;
  /** … and is cut when no answer came after this one. */
  readonly keepaliveTimeoutMs: number;
}

/** Counts what happens at the border. Called for every call, so it has to be cheap. */
export interface RpcMetrics {
  /** The counters of a method, asked for once at start-up. `method` is `CreateCharge` and so on. */
  method(method: string): MethodMetrics;
  /** A call, stream or item was refused or failed: a reason of `charge.v1.ErrorReason`. */
  refused(reason: string): void;
}

/** Counters of one method, labels bound. */
export interface MethodMetrics {
  started(): void;
  /** `code` is the number of the gRPC status that the caller got (or would have got). */
  finished(code: number, seconds: number): void;
  /** Messages of a stream, per direction; not called for unary methods. */
  streamed(direction: 'received' | 'sent', messages: number): void;
}

/** What the border has in hand at this moment: for gauges that are read when they are scraped. */
export interface RpcLoad {
  /** Unary calls whose work is not done yet. */
  readonly callsInFlight: number;
  /** See `HeldBytes`. */
  readonly heldBytes: number;
  readonly recordStreams: number;
  /** Items of RecordCharges streams that were read and not answered yet. */
  readonly recordItems: number;
  readonly watchStreams: number;
  /** Health watches and reflection streams. */
  readonly infrastructureStreams: number;
}
