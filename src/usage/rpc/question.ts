/** What both methods do with a question before they ask it. */

import type { UsageQuery as ProtoUsageQuery } from '../../../generated/charge/v1/usage_service.ts';
import { ServiceError } from '../../errors/failure.ts';
import { withinReach } from '../../grpc/own-user-profile.ts';
import type { Principal } from '../../grpc/principal.ts';
import { fromProtoUsageQuery } from '../convert.ts';
import { tooManyWindows, unknownTimeZone } from '../errors.ts';
import { WINDOW, type UsageQuery } from '../usage.ts';
import { isTimeZone, windowBounds } from '../windows.ts';

/** A question, and where its windows begin and end; undefined: there are none. */
export interface Question {
  readonly query: UsageQuery;
  readonly bounds: readonly bigint[] | undefined;
}

/** Checks what the contract's rules cannot express. Throws `validation_failed` and `permission_denied`. */
export function questionOf(principal: Principal, message: ProtoUsageQuery | undefined): Question {
  const asked = fromProtoUsageQuery(message);
  const query = { ...asked, filter: withinReach(principal, asked.filter) };
  if (!isTimeZone(query.timeZone)) throw new ServiceError(unknownTimeZone());
  const { startTimeMicros, endTimeMicros } = query.filter;
  if (query.window === WINDOW.none || startTimeMicros === undefined || endTimeMicros === undefined) {
    return { query, bounds: undefined };
  }
  const bounds = windowBounds(query.window, query.timeZone, startTimeMicros, endTimeMicros);
  if (bounds === undefined) throw new ServiceError(tooManyWindows());
  return { query, bounds };
}
