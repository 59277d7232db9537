/** Closes the time before a moment. */

import type { Transaction } from '../../database/transaction.ts';
import { ServiceError } from '../../errors/failure.ts';
import type { ClosedPeriod } from '../charge.ts';
import { refusalToClose } from '../correction.ts';
import type { Outcome } from './correction-rows.ts';
import { insertPeriodClose, lastClosedPeriod } from './period-closes.ts';

/** Closes a period, unless it is closed already. The transaction has locked the tenant. */
export async function closePeriod(
  { em }: Transaction,
  tenant: string,
  endTimeMicros: bigint,
): Promise<Outcome<ClosedPeriod>> {
  const last = await lastClosedPeriod(em, tenant);
  const failure = refusalToClose(endTimeMicros, last);
  if (failure !== undefined) return { results: [new ServiceError(failure)], events: [] };
  const isClosed = last?.endTimeMicros === endTimeMicros;
  return { results: [isClosed ? last : await insertPeriodClose(em, tenant, endTimeMicros)], events: [] };
}
