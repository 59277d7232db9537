/** Closes the time before a moment. */

import type { Transaction } from '../../database/transaction.ts';
import { timestamptzFromMicros } from '../../database/types/micros.ts';
import { ServiceError } from '../../errors/failure.ts';
import { type Actor, appendAuditEntry } from '../../tenants/index.ts';
import type { ClosedPeriod } from '../charge.ts';
import { refusalToClose } from '../correction.ts';
import type { Outcome } from './correction-rows.ts';
import { closedPeriodEndingAt, insertPeriodClose, lastClosedPeriod } from './period-closes.ts';

/** Closes a period, unless it is closed already. The transaction has locked the tenant. */
export async function closePeriod(
  transaction: Transaction,
  tenant: string,
  endTimeMicros: bigint,
  actor: Actor,
): Promise<Outcome<ClosedPeriod>> {
  const { em } = transaction;
  // First: who repeats a request gets its answer, also if a later period was closed in between.
  const earlier = await closedPeriodEndingAt(em, tenant, endTimeMicros);
  if (earlier !== undefined) return { results: [earlier], events: [] };
  const failure = refusalToClose(endTimeMicros, await lastClosedPeriod(em, tenant));
  if (failure !== undefined) return { results: [new ServiceError(failure)], events: [] };
  const closed = await insertPeriodClose(em, tenant, endTimeMicros);
  const details = new Map([['end_time', timestamptzFromMicros(endTimeMicros)]]);
  await appendAuditEntry(transaction, actor, {
    tenant,
    action: 'charge.v1.ChargeService/ClosePeriod',
    details,
  });
  return { results: [closed], events: [] };
}
