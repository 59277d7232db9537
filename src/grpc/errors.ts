/**
 * The one error map: what happened → gRPC status, reason, text and details. `charge.v1.ErrorReason`
 * documents each reason and its metadata keys; the texts here say what to do and may change.
 */

import { status as Code } from '@grpc/grpc-js';

import { type ErrorReason } from '../../generated/charge/v1/error_reason.ts';
import type { Failure, FieldViolation } from '../errors/service-error.ts';

/** A {@link Failure}, or a defect that is told to the caller by its correlation id only. */
export type BorderFailure = Failure | { readonly kind: 'internal'; readonly correlationId: string };

/** A failure as the contract tells it, before it is encoded. */
export interface ErrorDescription {
  readonly code: Code;
  /** A name of `charge.v1.ErrorReason` without its prefix. */
  readonly reason: Reason;
  readonly text: string;
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

type OfKind<K extends BorderFailure['kind']> = Extract<BorderFailure, { kind: K }>;

const RETRY_SETTLES = 'repeat it with the same request id, which never makes a second charge';

const DESCRIPTIONS: {
  readonly [K in BorderFailure['kind']]: (failure: OfKind<K>) => ErrorDescription;
} = {
  validation_failed: ({ violations }) => ({
    code: Code.INVALID_ARGUMENT,
    reason: 'VALIDATION_FAILED',
    text: violationsText(violations),
    violations,
  }),
  malformed_message: () => ({
    code: Code.INVALID_ARGUMENT,
    reason: 'MALFORMED_MESSAGE',
    text: 'The bytes are not a valid message of the expected type. Encode the request with charge.v1, texts as UTF-8.',
  }),
  message_too_large: ({ limitBytes, sizeBytes }) => ({
    code: Code.RESOURCE_EXHAUSTED,
    reason: 'MESSAGE_TOO_LARGE',
    text: `The message has ${sizeBytes} bytes and the method takes ${limitBytes}. Split the request.`,
    metadata: { limit_bytes: String(limitBytes), size_bytes: String(sizeBytes) },
  }),
  request_id_reused: ({ requestId, field, chargeId }) => ({
    code: Code.ALREADY_EXISTS,
    reason: 'REQUEST_ID_REUSED',
    text: `The request id was used before for charge ${chargeId}, whose ${excerpt(field, TEXT_EXCERPT_UNITS)} differs. Nothing was stored. Use a new request id for a new charge.`,
    metadata: { request_id: requestId, field: excerpt(field), charge_id: chargeId },
  }),
  charge_not_found: ({ id, requestId }) => ({
    code: Code.NOT_FOUND,
    reason: 'CHARGE_NOT_FOUND',
    text: `There is no charge with this ${id === undefined ? 'request id' : 'id'}.`,
    metadata: id === undefined ? { request_id: requestId ?? '' } : { id },
  }),
  page_token_invalid: () => ({
    code: Code.INVALID_ARGUMENT,
    reason: 'PAGE_TOKEN_INVALID',
    text: 'The page token does not belong to this filter and order. Start again without a token.',
  }),
  sequence_out_of_range: ({ startSequence, lastSequence }) => ({
    code: Code.OUT_OF_RANGE,
    reason: 'SEQUENCE_OUT_OF_RANGE',
    text: `The book ends at ${lastSequence}: a watch can start at most at ${lastSequence + 1n}, not at ${startSequence}. Check the address, or whether the database was restored.`,
    metadata: {
      start_sequence: String(startSequence),
      last_sequence: String(lastSequence),
    },
  }),
  overloaded: ({ limit, retryAfterMs }) => ({
    code: Code.RESOURCE_EXHAUSTED,
    reason: 'OVERLOADED',
    text: `The server has as much work in hand as it may have (${limit}). Nothing was stored; try again later.`,
    metadata: { limit },
    retryAfterMs,
  }),
  shutting_down: ({ retryAfterMs }) => ({
    code: Code.UNAVAILABLE,
    reason: 'SHUTTING_DOWN',
    text: `The server is going away. What it acknowledged is durable; for the rest, ${RETRY_SETTLES}, on another connection.`,
    retryAfterMs,
  }),
  database_unavailable: ({ retryAfterMs }) => ({
    code: Code.UNAVAILABLE,
    reason: 'DATABASE_UNAVAILABLE',
    text: `The database did not answer. Whether a write happened may be unknown: ${RETRY_SETTLES}.`,
    retryAfterMs,
  }),
  deadline_exceeded: () => ({
    code: Code.DEADLINE_EXCEEDED,
    reason: 'DEADLINE_EXCEEDED',
    text: `The call took longer than it may. A write may have happened: ${RETRY_SETTLES}.`,
  }),
  cancelled: () => ({
    code: Code.CANCELLED,
    reason: 'CANCELLED',
    text: `The caller gave up. A write may have happened: ${RETRY_SETTLES}.`,
  }),
  internal: ({ correlationId }) => ({
    code: Code.INTERNAL,
    reason: 'INTERNAL',
    text: `A defect of the service; its log has the rest under ${correlationId}. It is safe to ${RETRY_SETTLES}.`,
    metadata: { correlation_id: correlationId },
  }),
};

/** What the contract says about a failure. */
export function describeFailure<K extends BorderFailure['kind']>(failure: OfKind<K>): ErrorDescription {
  const describe = DESCRIPTIONS[failure.kind] as (failure: OfKind<K>) => ErrorDescription;
  return describe(failure);
}

function violationsText(violations: readonly FieldViolation[]): string {
  const [first, ...others] = violations;
  if (first === undefined) return 'The request breaks the rules of the contract.';
  const named = first.field === '' ? 'the request' : excerpt(first.field, TEXT_EXCERPT_UNITS);
  const what = excerpt(first.description, TEXT_EXCERPT_UNITS);
  const more = others.length === 0 ? '' : ` (and ${others.length} more, see the details)`;
  return `The request breaks the rules of the contract: ${named}: ${what}${more}.`;
}

/** In texts, which travel percent-encoded: up to nine bytes a character. */
const TEXT_EXCERPT_UNITS = 100;
/** In details. */
const DETAIL_EXCERPT_UNITS = 200;

/** A text from outside in a length that fits into headers, without half a surrogate pair. */
export function excerpt(text: string, unitsMax = DETAIL_EXCERPT_UNITS): string {
  return text.length <= unitsMax ? text.toWellFormed() : `${text.slice(0, unitsMax)}…`.toWellFormed();
}
