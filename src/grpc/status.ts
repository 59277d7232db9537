/** Failures as they travel: `google.rpc.Status` with its details, in trailers or in a result. */

import { Metadata, type ServiceError as GrpcError, status as Code } from '@grpc/grpc-js';

import type { Any } from '../../generated/google/protobuf/any.ts';
import { BadRequest, ErrorInfo, RetryInfo } from '../../generated/google/rpc/error_details.ts';
import { Status } from '../../generated/google/rpc/status.ts';
import { excerpt, type Failure, type FieldViolation } from '../errors/failure.ts';

/** The domain of every ErrorInfo. */
const ERROR_DOMAIN = 'charge.v1';

/** The trailer that carries the encoded `google.rpc.Status`. */
export const STATUS_DETAILS_KEY = 'grpc-status-details-bin';

/** How grpc-js takes a failed call. A plain object: an Error would cost a stack trace that nobody reads. */
export type CallError = Pick<GrpcError, 'code' | 'details' | 'metadata' | 'message' | 'name'>;

/** The failure as the end of a call: code and message, and the details in the trailers. */
export function toCallError(failure: Failure): CallError {
  const prepared = preparedErrors.get(failure);
  if (prepared !== undefined) return prepared;
  const status = toProtoStatus(failure);
  const metadata = new Metadata();
  metadata.set(STATUS_DETAILS_KEY, Buffer.from(Status.encode(status).finish()));
  const { code, message } = status;
  return { code, details: message, metadata, name: 'CallError', message };
}

const preparedErrors = new WeakMap<Failure, CallError>();

/** Encodes a failure that will be returned many times, so that refusing stays cheap. */
export function prepareFailure(failure: Failure): Failure {
  preparedErrors.set(failure, toCallError(failure));
  return failure;
}

/** The failure as a message: the status of a rejected item, and the content of the trailer. */
export function toProtoStatus(failure: Failure): Status {
  return {
    code: Code[failure.code],
    // grpc-js puts this through encodeURI, which throws on half a surrogate pair.
    message: failure.message.toWellFormed(),
    details: toProtoDetails(failure),
  };
}

function toProtoDetails({ reason, metadata, violations, retryAfterMs }: Failure): Any[] {
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
 * Clients in several languages fail a call whose trailers are larger than 8 KiB. Base64 makes 4/3 of
 * these bytes, and the other details need room too.
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
