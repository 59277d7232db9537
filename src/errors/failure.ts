/**
 * Failures as callers see them, whatever the protocol: a canonical code, a stable reason, and what to
 * do next. Features build theirs with functions in their own `errors.ts`; those that every feature
 * needs are here. `charge.v1.ErrorReason` documents each reason and its metadata keys.
 */

import type { status } from '@grpc/grpc-js';

import type { ErrorReason } from '../../generated/charge/v1/error_reason.ts';

/** A failure of a call, or of one item of it. */
export interface Failure {
  /** The name of a canonical gRPC code: `INVALID_ARGUMENT` and so on. */
  readonly code: keyof typeof status;
  readonly reason: Reason;
  /** One or two sentences: what happened, and what to do. Texts may change; reasons do not. */
  readonly message: string;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly violations?: readonly FieldViolation[];
  readonly retryAfterMs?: number;
}

/** The names of `charge.v1.ErrorReason` without their prefix. */
export type Reason = keyof typeof ErrorReason extends infer Name
  ? Name extends `ERROR_REASON_${infer Rest}`
    ? Rest
    : never
  : never;

/** One violated rule of the contract. */
export interface FieldViolation {
  /** Path of the field from the request, in proto spelling: `charge.labels["team"]`. */
  readonly field: string;
  /** What to change. */
  readonly description: string;
  /** The rule's id in the contract: `string.max_len`, `charge.model_required`. */
  readonly rule: string;
}

/** Carries a {@link Failure} up to whoever answers the caller. Any other error is an internal error. */
export class ServiceError extends Error {
  readonly failure: Failure;

  constructor(failure: Failure, options?: ErrorOptions) {
    super(failure.message, options);
    this.name = 'ServiceError';
    this.failure = failure;
  }
}

const RETRY_IS_SAFE = 'Repeat the call with the same request id: it never makes a second charge.';

/** The request breaks rules of the contract; `violations` names every one. */
export function validationFailed(violations: readonly FieldViolation[]): Failure {
  return {
    code: 'INVALID_ARGUMENT',
    reason: 'VALIDATION_FAILED',
    message: violationsText(violations),
    violations,
  };
}

/** The bytes of the request are not a message of the expected type. */
export function malformedMessage(): Failure {
  return {
    code: 'INVALID_ARGUMENT',
    reason: 'MALFORMED_MESSAGE',
    message:
      'The bytes are not a valid message of the expected type. Encode the request with charge.v1, texts as UTF-8.',
  };
}

/** The page token is damaged, or belongs to a list with another filter or order. */
export function pageTokenInvalid(): Failure {
  return {
    code: 'INVALID_ARGUMENT',
    reason: 'PAGE_TOKEN_INVALID',
    message: 'The page token does not belong to this filter and order. Start again without a token.',
  };
}

/** The request has more bytes than its method accepts. */
export function messageTooLarge(limitBytes: number, sizeBytes: number): Failure {
  return {
    code: 'RESOURCE_EXHAUSTED',
    reason: 'MESSAGE_TOO_LARGE',
    message: `The message has ${sizeBytes} bytes; this method accepts ${limitBytes}. Split the request.`,
    metadata: { limit_bytes: String(limitBytes), size_bytes: String(sizeBytes) },
  };
}

/** The server is at one of its limits. `limit` is its name for programs, `description` the same for people. */
export function overloaded(limit: string, description: string, retryAfterMs: number): Failure {
  return {
    code: 'RESOURCE_EXHAUSTED',
    reason: 'OVERLOADED',
    message: `The server is at its limit of ${description}. Nothing was stored; try again later.`,
    metadata: { limit },
    retryAfterMs,
  };
}

/**
 * The tenant is at one of its limits, whatever the server could still do. `limit` is its name for programs,
 * `description` the same for people.
 */
export function tenantLimitExceeded(
  limit: 'calls_in_flight' | 'streams' | 'charges_per_second',
  description: string,
  retryAfterMs: number,
): Failure {
  return {
    code: 'RESOURCE_EXHAUSTED',
    reason: 'TENANT_LIMIT_EXCEEDED',
    message: `The tenant is at its limit of ${description}. Nothing was stored; try again later.`,
    metadata: { limit },
    retryAfterMs,
  };
}

/** Why a credential is not accepted. */
export type CredentialFault = 'MISSING' | 'MALFORMED' | 'INVALID' | 'EXPIRED';

const CREDENTIAL_FAULTS: Readonly<Record<CredentialFault, string>> = {
  MISSING: 'The call has no credential.',
  MALFORMED: 'The header authorization cannot be read.',
  INVALID: 'The credential is not accepted.',
  EXPIRED: 'The credential has expired.',
};

/** The call has no credential that is accepted. */
export function unauthenticated(cause: CredentialFault): Failure {
  return {
    code: 'UNAUTHENTICATED',
    reason: 'UNAUTHENTICATED',
    message: `${CREDENTIAL_FAULTS[cause]} Send an API key or a token as "authorization: Bearer …".`,
    metadata: { cause },
  };
}

/** The credential does not allow the call. `message` says what is missing. */
export function permissionDenied(message: string, metadata: Readonly<Record<string, string>>): Failure {
  return { code: 'PERMISSION_DENIED', reason: 'PERMISSION_DENIED', message, metadata };
}

/** The server is about to stop. */
export function shuttingDown(retryAfterMs: number): Failure {
  return {
    code: 'UNAVAILABLE',
    reason: 'SHUTTING_DOWN',
    message: `The server is shutting down. Everything it acknowledged is stored. ${RETRY_IS_SAFE}`,
    retryAfterMs,
  };
}

/** What a call that failed has done: `nothing`, also because it only reads, or perhaps it has stored something. */
export type Stored = 'nothing' | 'maybe';

const STORED: Readonly<Record<Stored, string>> = {
  nothing: 'Nothing was stored; try again later.',
  maybe: `What was not acknowledged may have been stored. ${RETRY_IS_SAFE}`,
};

/** PostgreSQL does not answer, lost the connection in the middle of a statement, or refuses the statement. */
export function databaseUnavailable(retryAfterMs: number, stored: Stored): Failure {
  const message = `The database does not answer, or refuses this call. ${STORED[stored]}`;
  return { code: 'UNAVAILABLE', reason: 'DATABASE_UNAVAILABLE', message, retryAfterMs };
}

/** The call took longer than the caller's deadline, or than the server allows. */
export function deadlineExceeded(): Failure {
  return {
    code: 'DEADLINE_EXCEEDED',
    reason: 'DEADLINE_EXCEEDED',
    message: `The call took too long. If it was a write, it may have happened. ${RETRY_IS_SAFE}`,
  };
}

/** The caller is gone. */
export function cancelled(): Failure {
  return {
    code: 'CANCELLED',
    reason: 'CANCELLED',
    message: `The caller cancelled the call. If it was a write, it may have happened. ${RETRY_IS_SAFE}`,
  };
}

/** Something that the contract does not know; the log has the rest under the correlation id. */
export function internalError(correlationId: string): Failure {
  return {
    code: 'INTERNAL',
    reason: 'INTERNAL',
    message: `Internal error. Correlation id: ${correlationId}. ${RETRY_IS_SAFE}`,
    metadata: { correlation_id: correlationId },
  };
}

function violationsText([first, ...others]: readonly FieldViolation[]): string {
  if (first === undefined) return 'The request breaks the rules of the contract.';
  const field = first.field === '' ? 'the request' : excerpt(first.field, MESSAGE_EXCERPT_UNITS);
  const description = excerpt(first.description, MESSAGE_EXCERPT_UNITS);
  const more = others.length === 0 ? '' : ` (and ${others.length} more, see the details)`;
  return `The request breaks the rules of the contract: ${field}: ${description}${more}.`;
}

/** In messages, which travel percent-encoded: up to nine bytes a character. */
export const MESSAGE_EXCERPT_UNITS = 100;
/** In details. */
const DETAIL_EXCERPT_UNITS = 200;

/** Shortens a text from outside so that it fits into headers. Never splits a surrogate pair. */
export function excerpt(text: string, unitsMax = DETAIL_EXCERPT_UNITS): string {
  return text.length <= unitsMax ? text.toWellFormed() : `${text.slice(0, unitsMax)}…`.toWellFormed();
}
