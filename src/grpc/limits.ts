/** The bounds of a gRPC server. Milliseconds and bytes; every one at least 1. */
export interface RpcLimits {
  /** Unary calls in flight, over all connections. See `Admission`. */
  readonly inFlightCallsMax: number;
  /** Open streams of features, over all connections; as many health and reflection streams besides. See `LongStreams`. */
  readonly streamsMax: number;
  /** Bytes of requests that are still arriving or being worked on. */
  readonly requestBytesMax: number;
  /** Bytes of unary responses that clients have not read yet. */
  readonly responseBytesMax: number;
  /** The largest message that any method accepts. */
  readonly messageBytesMax: number;
  /** A unary call without a deadline, or with a later one, is answered after this time at the latest. */
  readonly deadlineMaxMs: number;
  /** The request of a unary call arrives in full within this time. */
  readonly requestArrivalMaxMs: number;
  /** How long a refused caller is told to wait. */
  readonly retryAfterMs: number;
  /** Open connections, those that have not finished their TLS handshake included. */
  readonly connectionsMax: number;
  /** A TLS handshake is finished within this time. */
  readonly handshakeMaxMs: number;
  /** Open streams of one connection; unary calls are streams too. */
  readonly connectionStreamsMax: number;
  /** A connection is asked to close after this time. */
  readonly connectionAgeMaxMs: number;
  /** It is closed at the latest this long after that. */
  readonly connectionAgeGraceMs: number;
  /** A connection without a call is closed after this time. */
  readonly connectionIdleMaxMs: number;
  /** A silent connection is pinged after this time. */
  readonly keepaliveTimeMs: number;
  /** It is closed if no answer comes within this time. */
  readonly keepaliveTimeoutMs: number;
}

/** What a server process uses unless the configuration says otherwise. */
export const DEFAULT_RPC_LIMITS: RpcLimits = {
  inFlightCallsMax: 10_000,
  streamsMax: 1_000,
  requestBytesMax: 12 * 1024 * 1024,
  responseBytesMax: 32 * 1024 * 1024,
  messageBytesMax: 4 * 1024 * 1024,
  deadlineMaxMs: 30_000,
  requestArrivalMaxMs: 10_000,
  retryAfterMs: 250,
  connectionsMax: 4_000,
  handshakeMaxMs: 10_000,
  connectionStreamsMax: 100,
  connectionAgeMaxMs: 60 * 60_000,
  connectionAgeGraceMs: 30_000,
  connectionIdleMaxMs: 15 * 60_000,
  keepaliveTimeMs: 60_000,
  keepaliveTimeoutMs: 20_000,
};

/** The largest request of a method with few fields, far above any valid one. Checking the rules costs time for every byte. */
export const SMALL_REQUEST_BYTES_MAX = 64 * 1024;
