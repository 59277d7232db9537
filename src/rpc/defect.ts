/** From anything thrown to a failure that a caller may see. */

import { randomUUID } from 'node:crypto';

import { ServiceError } from '../domain/errors.ts';
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

interface ErrorLog {
  readonly name: string;
  readonly message?: string;
  readonly code?: unknown;
  readonly stack?: readonly string[];
  readonly cause?: ErrorLog;
}

const CAUSES_MAX = 4;
/**
 * What errors of PostgreSQL and MikroORM have, and others do not. Their SQLSTATE is no sign of them: the
 * codes of Node ("EPIPE") may have the same shape. What a SQLSTATE means is the store's to know.
 */
const DATABASE_MEMBERS = ['severity', 'detail', 'sqlMessage', 'query'];

/**
 * What may be logged of an error. PostgreSQL and MikroORM put row values and statements into
 * messages, so an error of theirs is named by its code and its stack frames alone.
 */
export function describeError(error: unknown, depth = 0): ErrorLog {
  if (!(error instanceof Error)) return { name: typeof error };
  const { name, message, stack, cause } = error;
  const code = 'code' in error ? error.code : undefined;
  const frames = stack?.split('\n').filter((line) => line.startsWith('    at '));
  return {
    name,
    ...(code !== undefined && { code }),
    ...(!carriesRowValues(error, depth) && { message: message.slice(0, 500) }),
    ...(frames !== undefined && { stack: frames.map((line) => line.trim()) }),
    ...(cause !== undefined && depth < CAUSES_MAX && { cause: describeError(cause, depth + 1) }),
  };
}

function carriesRowValues(error: Error, depth: number): boolean {
  if (DATABASE_MEMBERS.some((member) => member in error)) return true;
  // A wrapper repeats the message of what it wraps.
  return error.cause instanceof Error && depth < CAUSES_MAX && carriesRowValues(error.cause, depth + 1);
}
