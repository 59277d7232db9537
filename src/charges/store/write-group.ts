/** One group of requests: what goes into the statement, and what each caller is answered. */

import { withClient } from '../../database/driver.ts';
import type { Database } from '../../database/orm.ts';
import { isStatementError } from '../../database/sql-errors.ts';
import { firstDifference } from '../canonical-content.ts';
import type { RecordResult } from '../charge.ts';
import type { ChargeEvent } from '../charge-event.ts';
import type { ChargeRow } from '../entity.ts';
import { findByKeys } from './find-by-keys.ts';
import { type InsertCharges, type InsertOptions, wasInserted } from './insert-charges.ts';
import { requestIdOf } from './charge-row.ts';
import { createdEvent } from './event-rows.ts';

/** What a group did. */
export interface GroupOutcome {
  /** One per charge, in order. */
  readonly results: readonly RecordResult[];
  /** What the group added to the tenant's journal, in order. */
  readonly events: readonly ChargeEvent[];
  /** Whether request ids of the group existed before. */
  readonly metExisting: boolean;
}

/**
 * Writes charges of one tenant in one transaction and resolves after COMMIT. Repeating it with the same
 * charges is safe and gives the same results, whether or not an earlier attempt was committed. If it rejects without
 * having called `mayBeStored`, this attempt has stored nothing.
 */
export async function writeGroup(
  database: Database,
  insert: InsertCharges,
  tenant: string,
  charges: readonly ChargeRow[],
  options: InsertOptions,
  mayBeStored: () => void,
): Promise<GroupOutcome> {
  const firsts = firstOfEachRequest(charges);
  const outcome = await withClient(database.pool, async (client) => {
    try {
      return await insert.run(client, tenant, firsts, options);
    } catch (error) {
      if (!isStatementError(error)) mayBeStored();
      throw error;
    }
  });
  // It is, and the caller may still not hear of it.
  if (outcome.lastSequence > 0n) mayBeStored();

  const earlier = firsts.filter((charge) => !wasInserted(outcome, charge));
  const stored = await storedCharges(database, tenant, earlier);
  const repeated = firsts.length < charges.length ? byRequest(firsts) : undefined;
  const created: ChargeRow[] = [];
  const results = charges.map((charge): RecordResult => {
    const row = stored.get(charge.requestKey);
    if (row !== undefined) return resultAgainstStored(charge, row);
    const first = repeated?.get(charge.requestKey) ?? charge;
    if (first !== charge) return resultAgainst(charge, first);
    created.push(charge);
    return { outcome: 'created', charge };
  });
  const events = numbered(outcome.lastSequence, created);
  return { results, events, metExisting: earlier.length > 0 };
}

/** The journal numbers a group by its ids: the order of arrival, unless the clock was set back far. */
function numbered(lastSequence: bigint, created: ChargeRow[]): ChargeEvent[] {
  const first = lastSequence - BigInt(created.length) + 1n;
  return created
    .sort((a, b) => (a.id < b.id ? -1 : 1))
    .map((charge, index) => createdEvent(charge, first + BigInt(index)));
}

/** Sorted by request key; sorting keeps those with the same one in the order of their arrival. */
function firstOfEachRequest(charges: readonly ChargeRow[]): ChargeRow[] {
  const sorted = charges.toSorted((a, b) =>
    a.requestKey < b.requestKey ? -1 : Number(a.requestKey > b.requestKey),
  );
  return sorted.filter((charge, index) => charge.requestKey !== sorted[index - 1]?.requestKey);
}

function byRequest(charges: readonly ChargeRow[]): Map<string, ChargeRow> {
  return new Map(charges.map((charge) => [charge.requestKey, charge]));
}

/** What earlier requests with these keys made. A new statement: it sees what the insert waited for. */
async function storedCharges(
  database: Database,
  tenant: string,
  earlier: readonly ChargeRow[],
): Promise<Map<string, ChargeRow>> {
  if (earlier.length === 0) return new Map();
  const keys = earlier.map(({ requestKey }) => requestKey);
  const rows = await findByKeys(database.em.fork(), tenant, 'requestKey', keys);
  const missing = earlier.length - rows.length;
  if (missing > 0) throw new Error(`${missing} request ids conflict with rows that do not exist`);
  return byRequest(rows);
}

function resultAgainstStored(charge: ChargeRow, stored: ChargeRow): RecordResult {
  // The reply to an earlier attempt was lost after its COMMIT: the row is this very request.
  if (stored.id === charge.id) return { outcome: 'created', charge: stored };
  return resultAgainst(charge, stored);
}

/** The answer to a request whose id made `stored`, now or before. */
function resultAgainst(charge: ChargeRow, stored: ChargeRow): RecordResult {
  if (charge.contentHash === stored.contentHash) return { outcome: 'replayed', charge: stored };
  return {
    outcome: 'conflict',
    requestId: requestIdOf(charge),
    chargeId: stored.id,
    field: firstDifference(stored, charge),
  };
}
