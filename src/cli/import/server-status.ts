/** Reads the service's errors and decides what they ask of a client. */

import { status as codes, type StatusObject } from '@grpc/grpc-js';
import { BadRequest, ErrorInfo, RetryInfo } from '../../../generated/google/rpc/error_details.ts';
import { Status } from '../../../generated/google/rpc/status.ts';
import type { FieldViolation } from '../../errors/failure.ts';

/** A `google.rpc.Status` with its details taken out. */
export interface ServerError {
  readonly code: number;
  /** Reason of the ErrorInfo (`REQUEST_ID_REUSED`), or the name of the code where there is none. */
  readonly reason: string;
  readonly message: string;
  readonly metadata: ReadonlyMap<string, string>;
  readonly violations: readonly FieldViolation[];
  /** What RetryInfo asks to wait, in milliseconds, at least 0; undefined: nothing. */
  readonly retryAfterMs: number | undefined;
}

/** No delay that a server asks for is obeyed for longer than this. */
const RETRY_AFTER_MS_MAX = 60_000;

/** Takes a status apart. Details that cannot be read are left out. */
export function toServerError(status: Status): ServerError {
  let reason = codes[status.code] ?? `code ${status.code}`;
  let metadata: ReadonlyMap<string, string> = new Map();
  let violations: FieldViolation[] = [];
  let retryAfterMs: number | undefined;
  for (const { typeUrl, value } of status.details) {
    try {
      const type = typeUrl.slice(typeUrl.lastIndexOf('/') + 1);
      if (type === 'google.rpc.ErrorInfo') ({ reason, metadata } = ErrorInfo.decode(value));
      else if (type === 'google.rpc.BadRequest') {
        violations = BadRequest.decode(value).fieldViolations.map((violation) => ({
          field: violation.field,
          description: violation.description,
          rule: violation.reason,
        }));
      } else if (type === 'google.rpc.RetryInfo') {
        const delay = RetryInfo.decode(value).retryDelay;
        const delayMs = delay ? Number(delay.seconds) * 1000 + delay.nanos / 1e6 : 0;
        retryAfterMs = Math.min(Math.max(delayMs, 0), RETRY_AFTER_MS_MAX);
      }
    } catch {
      // A detail that is cut off says less than the code and the message, which stay.
    }
  }
  return { code: status.code, reason, message: status.message, metadata, violations, retryAfterMs };
}

/** The error that a call ended with, out of its trailers. */
export function errorOfCall(status: Pick<StatusObject, 'code' | 'details' | 'metadata'>): ServerError {
  const [bytes] = status.metadata.get('grpc-status-details-bin');
  const plain: Status = { code: status.code, message: status.details, details: [] };
  if (!Buffer.isBuffer(bytes)) return toServerError(plain);
  try {
    return toServerError({ ...Status.decode(bytes), code: status.code, message: status.details });
  } catch {
    return toServerError(plain);
  }
}

/**
 * What to do about an error: `retry` (the service promises that a repeat is safe and may help),
 * `retry_few` (a defect that may be tied to this row), or `give_up`.
 */
export function verdictOn(error: ServerError): 'retry' | 'retry_few' | 'give_up' {
  switch (error.code as codes) {
    case codes.UNAVAILABLE:
    case codes.DEADLINE_EXCEEDED:
    case codes.CANCELLED:
    case codes.ABORTED:
      return 'retry';
    case codes.RESOURCE_EXHAUSTED:
      return error.reason === 'MESSAGE_TOO_LARGE' ? 'give_up' : 'retry';
    case codes.INTERNAL:
    case codes.UNKNOWN:
      return 'retry_few';
    default:
      return 'give_up';
  }
}

/** One line about an error: `ALREADY_EXISTS (REQUEST_ID_REUSED): … [field: model]`. */
export function describe(error: ServerError): string {
  const code = codes[error.code] ?? `code ${error.code}`;
  const field = error.metadata.get('field');
  const correlation = error.metadata.get('correlation_id');
  const extras = [field && `field: ${field}`, correlation && `correlation id: ${correlation}`].filter(
    Boolean,
  );
  const name = error.reason === code ? code : `${code} (${error.reason})`;
  return `${name}: ${error.message}${extras.length > 0 ? ` [${extras.join(', ')}]` : ''}`;
}
