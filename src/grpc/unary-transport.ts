/** What a unary call needs of the server that it came in by. */

import type { Admission } from './admission.ts';
import type { CallHeaders } from './call-headers.ts';
import type { HeldBytes } from './held-bytes.ts';
import type { CallError } from './status.ts';

/** One exchange on the wire: a request that arrived, and the one answer that it gets. */
export interface UnaryTransport<Res> extends CallHeaders {
  /** The request without its frame; to be read before `run` returns. */
  readonly bytes: Buffer;
  /** The size of the request as its frame tells it. */
  readonly sizeBytes: number;
  /** Whether the call ended without us: its deadline passed, or the caller is gone. */
  readonly cancelled: boolean;
  /** The caller's deadline in milliseconds since 1970; Infinity: it has none. */
  readonly deadlineMs: number;
  /** Answers with a message and OK; nothing where the call has ended. */
  succeed(response: Res): void;
  /** Answers with a status; nothing where the call has ended. */
  fail(error: CallError): void;
}

/** A unary method as servers see it. */
export interface UnaryEndpoint {
  /** `/package.Service/Method`. */
  readonly path: string;
  readonly messageBytesMax: number;
  /** Where a server counts what it keeps for the callers of the method. */
  readonly heldBytes: HeldBytes;
  /** Whether a server may wait for the rest of a request. */
  readonly admission: Pick<Admission, 'awaitsRequests'>;
  /** The bytes of a response, in a buffer that the next call overwrites; may throw. */
  readonly encode: (response: unknown) => Buffer;
  /**
   * Runs a call whose request has arrived, whose size refuses it, or for whose request the admission does
   * not wait any more; never throws.
   */
  readonly run: (transport: UnaryTransport<unknown>) => void;
}
