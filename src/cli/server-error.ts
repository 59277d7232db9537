/** Reads the errors of the service and decides what a client should do about them. */

import { status as codes, type StatusObject } from '@grpc/grpc-js';
import { BadRequest, ErrorInfo, RetryInfo } from '../../generated/google/rpc/error_details.ts';
import { Status } from '../../generated/google/rpc/status.ts';
import type { FieldViolation } from '../errors/failure.ts';
import { safeName } from './usage/names.ts';

/** A `google.rpc.Status` with its details decoded. */
export interface ServerError {
  readonly code: number;
  /** Reason of the ErrorInfo (`REQUEST_ID_REUSED`), or the name of the code if there is none. */
  readonly reason: string;
  readonly message: string;
  readonly metadata: ReadonlyMap<string, string>;
  readonly violations: readonly FieldViolation[];
  /** How long RetryInfo asks to wait, in milliseconds, at least 0. Undefined: it asks for nothing. */
  readonly retryAfterMs: number | undefined;
}

/** A client never waits longer than this, whatever the server asks for. */
const RETRY_AFTER_MS_MAX = 60_000;

/** Decodes the details of a status. Details that cannot be read are left out. */
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
      // The code and the message are still there, and they say the most.
    }
  }
  return { code: status.code, reason, message: status.message, metadata, violations, retryAfterMs };
}

/** The error that a call ended with. Details that cannot be read are left out. */
export function errorOfCall({ code, details: message, metadata }: StatusObject): ServerError {
  const [bytes = ''] = metadata.get('grpc-status-details-bin');
  let details: Status['details'] = [];
  try {
    ({ details } = Status.decode(Buffer.from(bytes)));
  } catch {
    // The code and the message are still there.
  }
  return toServerError({ code, message, details });
}

/**
 * What to do about an error: `retry` (a repeat is safe and may help), `retry_few` (an internal error,
 * which this request may cause again each time), or `give_up`.
 */
export function adviceOn(error: ServerError): 'retry' | 'retry_few' | 'give_up' {
  switch (error.code as codes) {
    case codes.UNAVAILABLE:
    case codes.DEADLINE_EXCEEDED:
    case codes.CANCELLED:
    case codes.ABORTED:
      return 'retry';
    case codes.RESOURCE_EXHAUSTED:
      // Neither the size of a message nor the number of price versions becomes less.
      return error.reason === 'MESSAGE_TOO_LARGE' || error.metadata.get('limit') === 'price_versions'
        ? 'give_up'
        : 'retry';
    case codes.INTERNAL:
    case codes.UNKNOWN:
      return 'retry_few';
    default:
      return 'give_up';
  }
}

/** The kind of an error: `ALREADY_EXISTS (REQUEST_ID_REUSED)`. */
export function nameOf({ code: number, reason }: ServerError): string {
  const code = codes[number] ?? `code ${number}`;
  return reason === code ? code : `${code} (${reason})`;
}

/** One line about an error: `ALREADY_EXISTS (REQUEST_ID_REUSED): … [field: model]`. */
export function describe(error: ServerError): string {
  const extras = ['field', 'correlation_id']
    .filter((key) => error.metadata.has(key))
    .map((key) => `${key.replace('_', ' ')}: ${error.metadata.get(key)}`);
  // It may repeat a name that somebody else has chosen.
  return safeName(`${nameOf(error)}: ${error.message}${extras.length > 0 ? ` [${extras.join(', ')}]` : ''}`);
}
