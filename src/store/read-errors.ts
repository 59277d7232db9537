/** Failed reads, as the domain names them. */

import { ServiceError } from '../domain/errors.ts';
import { classifySqlError } from './sql-errors.ts';

/** Turns what PostgreSQL or its driver threw into a {@link ServiceError}; defects stay what they are. */
export function asServiceError(error: unknown, retryAfterMs: number): unknown {
  switch (classifySqlError(error)) {
    case 'retry':
      return new ServiceError({ kind: 'database_unavailable', retryAfterMs }, { cause: error });
    case 'timeout':
      return new ServiceError({ kind: 'deadline_exceeded' }, { cause: error });
    case 'data':
    case 'defect':
      return error;
  }
}
