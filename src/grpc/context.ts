/** What all calls of a server share. */

import type { Admission } from './admission.ts';
import type { LongStreams } from './long-streams.ts';
import type { RpcLimits } from './limits.ts';
import type { AccessOf } from './method-access.ts';
import type { Authenticate } from './principal.ts';
import type { RunningCalls } from './running-calls.ts';

/** The state of a server that its calls work with. */
export interface RpcContext {
  readonly limits: RpcLimits;
  readonly logger: RpcLogger;
  readonly metrics: RpcMetrics;
  readonly admission: Admission;
  readonly running: RunningCalls;
  readonly streams: LongStreams;
  readonly accessOf: AccessOf;
  readonly authenticate: Authenticate;
}

/** The part of a pino logger that is used. */
export interface RpcLogger {
  debug(fields: object, message: string): void;
  error(fields: object, message: string): void;
  isLevelEnabled(level: 'debug'): boolean;
}

/** Counts calls. Used in every call, so it has to be cheap. */
export interface RpcMetrics {
  /** The counters of a method, asked for once at start-up. */
  method(name: MethodName): MethodMetrics;
  /** A call was refused or failed: a reason of `charge.v1.ErrorReason`. */
  refused(reason: string): void;
}

/** A method as metrics and the log name it. */
export interface MethodName {
  /** `charge.v1.ChargeService` and so on. */
  readonly service: string;
  /** `CreateCharge` and so on. */
  readonly method: string;
  readonly type: 'unary' | 'client_stream' | 'server_stream' | 'bidi_stream';
}

/** Counters of one method, labels bound. */
export interface MethodMetrics {
  started(): void;
  /** `code` is the number of the gRPC status that the caller got, or would have got. */
  finished(code: number, seconds: number): void;
  received(messages: number): void;
  sent(messages: number): void;
}

/** What a server is working on at this moment, for gauges that are read when they are scraped. */
export interface RpcLoad {
  readonly callsInFlight: number;
  /** See {@link RpcLimits.requestBytesMax}. */
  readonly requestBytes: number;
  /** See {@link RpcLimits.responseBytesMax}. */
  readonly responseBytes: number;
  readonly connections: number;
  readonly recordStreams: number;
  readonly watchStreams: number;
  readonly exportStreams: number;
  /** Health watches and reflection streams. */
  readonly infrastructureStreams: number;
}
