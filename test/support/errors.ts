/** What a failed call, or a rejected item, says by the contract. */

import { type ServiceError, status as Code } from '@grpc/grpc-js';

import { BadRequest, ErrorInfo, RetryInfo } from '../../generated/google/rpc/error_details.ts';
import { Status } from '../../generated/google/rpc/status.ts';

/** What an error says by the contract. */
export interface ErrorSummary {
  readonly code: string;
  readonly reason: string | undefined;
  readonly domain: string | undefined;
  readonly metadata: Record<string, string>;
  readonly violations: BadRequest['fieldViolations'];
  readonly retryAfterMs: number | undefined;
  readonly text: string;
}

/** Reads `grpc-status-details-bin` of an error. */
export function errorOf(error: unknown): ErrorSummary {
  const { code, details, metadata } = error as ServiceError;
  const bytes = metadata.get('grpc-status-details-bin')[0];
  const status = bytes === undefined ? undefined : Status.decode(bytes as Buffer);
  return { ...summaryOf(status), code: Code[code] ?? String(code), text: details };
}

/** Reads a `google.rpc.Status`. */
export function summaryOf(status: Status | undefined): ErrorSummary {
  const detail = (type: string): Buffer | undefined =>
    status?.details.find(({ typeUrl }) => typeUrl === `type.googleapis.com/google.rpc.${type}`)?.value;
  const info = detail('ErrorInfo') && ErrorInfo.decode(detail('ErrorInfo') ?? Buffer.alloc(0));
  const badRequest = detail('BadRequest');
  const retryInfo = detail('RetryInfo');
  const delay = retryInfo && RetryInfo.decode(retryInfo).retryDelay;
  return {
    code: Code[status?.code ?? 0] ?? '',
    reason: info?.reason,
    domain: info?.domain,
    metadata: Object.fromEntries(info?.metadata ?? []),
    violations: badRequest ? BadRequest.decode(badRequest).fieldViolations : [],
    retryAfterMs: delay && Number(delay.seconds) * 1000 + delay.nanos / 1e6,
    text: status?.message ?? '',
  };
}

/** The error that a promise rejects with, by the contract; fails if it does not reject. */
export async function failureOf(work: Promise<unknown>): Promise<ErrorSummary> {
  try {
    await work;
  } catch (error) {
    return errorOf(error);
  }
  throw new Error('the call succeeded');
}
