/** From anything thrown to a failure that a caller may see. */

import { randomUUID } from 'node:crypto';

import { describeError } from '../errors/describe-error.ts';
import { type Failure, internalError, ServiceError } from '../errors/failure.ts';
import { callFields, type LoggedCall } from './call-log.ts';
import type { RpcLogger } from './context.ts';

/**
 * The failure that an error carries. Any error but a {@link ServiceError} is an internal error: the log
 * gets what is known about it under a correlation id, and the caller gets only that id.
 */
export function failureOf(error: unknown, call: LoggedCall, logger: RpcLogger): Failure {
  if (error instanceof ServiceError) return error.failure;
  const correlationId = randomUUID();
  logger.error({ correlationId, ...callFields(call), error: describeError(error) }, 'call failed');
  return internalError(correlationId);
}
