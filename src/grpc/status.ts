/** Failures as they travel: `google.rpc.Status` with its details, in trailers or in a result. */

import { Metadata, type ServiceError as GrpcError } from '@grpc/grpc-js';

import type { Any } from '../../generated/google/protobuf/any.ts';
import { BadRequest, ErrorInfo, RetryInfo } from '../../generated/google/rpc/error_details.ts';
import { Status } from '../../generated/google/rpc/status.ts';
import type { FieldViolation } from '../errors/service-error.ts';
import { type BorderFailure, describeFailure, type ErrorDescription, excerpt } from './errors.ts';

/** The domain of every ErrorInfo. */
export const ERROR_DOMAIN = 'charge.v1';

/** The trailer that carries the encoded `google.rpc.Status`. */
export const STATUS_DETAILS_KEY = 'grpc-status-details-bin';

/**
 * What grpc-js takes as the end of a call. A plain object: an Error per refused call would cost a
 * stack trace that nobody reads.
 */
export type CallError = Pick<GrpcError, 'code' | 'details' | 'metadata' | 'message' | 'name'>;

/** The failure as the end of a call: code, text, and every detail in the trailers. */
export function toCallError(failure: BorderFailure): CallError {
  const prepared = preparedErrors.get(failure);
  if (prepared !== undefined) return prepared;
  const status = toProtoStatus(failure);
  const metadata = new Metadata();
  metadata.set(STATUS_DETAILS_KEY, Buffer.from(Status.encode(status).finish()));
  const { code, message } = status;
  return { code: code, details: message, metadata, name: 'CallError', message };
}

const preparedErrors = new WeakMap<BorderFailure, CallError>();

/** Encodes a failure that is going to be returned again and again: refusals must stay cheap. */
export function prepareFailure<F extends BorderFailure>(failure: F): F {
  preparedErrors.set(failure, toCallError(failure));
  return failure;
}

/** The failure as a message: the status of a rejected item, and the content of the trailer. */
export function toProtoStatus(failure: BorderFailure): Status {
  const description = describeFailure(failure);
  return {
    code: description.code,
    // grpc-js puts this through encodeURI, which throws on half a surrogate pair.
    message: description.text.toWellFormed(),
    details: toProtoDetails(description),
  };
}

function toProtoDetails({ reason, metadata, violations, retryAfterMs }: ErrorDescription): Any[] {
  const info = { reason, domain: ERROR_DOMAIN, metadata: new Map(Object.entries(metadata ?? {})) };
  const details = [toAny('google.rpc.ErrorInfo', ErrorInfo.encode(info).finish())];
  if (violations !== undefined) {
    const badRequest = { fieldViolations: boundedViolations(violations) };
    details.push(toAny('google.rpc.BadRequest', BadRequest.encode(badRequest).finish()));
  }
  if (retryAfterMs !== undefined) {
    const seconds = Math.floor(retryAfterMs / 1000);
    const nanos = Math.round((retryAfterMs % 1000) * 1e6);
    const retryInfo = { retryDelay: { seconds: BigInt(seconds), nanos } };
    details.push(toAny('google.rpc.RetryInfo', RetryInfo.encode(retryInfo).finish()));
  }
  return details;
}

function toAny(type: string, value: Uint8Array): Any {
  return { typeUrl: `type.googleapis.com/${type}`, value: Buffer.from(value) };
}

/**
 * Clients of several languages give a call up whose trailers pass 8 KiB, so the violations of an
 * absurd request are cut: base64 makes 4/3 of these bytes, and the rest needs its room too.
 */
const VIOLATIONS_BYTES_MAX = 3500;

function boundedViolations(violations: readonly FieldViolation[]) {
  const fitting: BadRequest['fieldViolations'] = [];
  let bytes = 0;
  for (const [index, { field, description, rule }] of violations.entries()) {
    const violation = {
      field: excerpt(field),
      description: excerpt(description),
      reason: rule,
      localizedMessage: undefined,
    };
    bytes += Buffer.byteLength(violation.field + violation.description + rule) + 12;
    if (bytes > VIOLATIONS_BYTES_MAX) {
      fitting.push({
        ...violation,
        field: '',
        reason: '',
        description: `and ${violations.length - index} more`,
      });
      break;
    }
    fitting.push(violation);
  }
  return fitting;
}
