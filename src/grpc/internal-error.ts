/** From anything thrown to a failure that a caller may see. */

import { randomUUID } from 'node:crypto';

import { describeError } from '../errors/describe-error.ts';
import { ServiceError } from '../errors/service-error.ts';
import type { RpcLogger } from './dependencies.ts';
import type { BorderFailure } from './errors.ts';

/**
 * The failure of an error. Anything but a {@link ServiceError} is a defect: the log gets what is
 * known under a correlation id, the caller gets the id only.
 */
export function failureOf(error: unknown, method: string, logger: RpcLogger): BorderFailure {
  if (error instanceof ServiceError) return error.failure;
  const correlationId = randomUUID();
  logger.error({ correlationId, method, error: describeError(error) }, 'call failed');
  return { kind: 'internal', correlationId };
}
