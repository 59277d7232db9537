/** One group of requests: what goes into the statement, and what each caller is answered. */

import type { ClientBase } from 'pg';

import { contentHash, firstDifference } from '../canonical-content.ts';
import type { Charge, ChargeRequest, JournalEntry, RecordResult } from '../charge.ts';
import { newChargeId, timeOfChargeId } from '../charge-id.ts';
import { chargeOf, type ChargeRow, fromChargeRow, type NewCharge, requestIdOf } from './charge-row.ts';
import { insertCharges, type InsertMode, selectByRequestKeys, wasInserted } from './insert-charges.ts';
import { requestKey } from './request-key.ts';

/** Gives a request its id, its hash and its moment. Called once per request, in order of arrival. */
export function newCharge(request: ChargeRequest): NewCharge {
  const id = newChargeId();
  return {
    id,
    requestId: request.requestId,
    requestKey: requestKey(request.requestId),
    contentHash: contentHash(request.content),
    content: request.content,
    createTimeMicros: timeOfChargeId(id),
    traceparent: request.traceparent,
  };
}

/** What a group did. */
export interface GroupOutcome {
  /** One per charge, in order. */
  readonly results: readonly RecordResult[];
  /** What the group added to the tenant's book, in order. */
  readonly entries: readonly JournalEntry[];
  /** Whether request ids of the group existed before. */
  readonly metExisting: boolean;
}

/**
 * Writes a group in one transaction and resolves after COMMIT. Repeating it with the same charges
 * is safe and gives the same results, whether or not an earlier attempt was committed.
 */
export async function writeGroup(
  client: ClientBase,
  tenant: string,
  charges: readonly NewCharge[],
  mode: InsertMode,
): Promise<GroupOutcome> {
  const firsts = firstOfEachRequestId(charges);
  const outcome = await insertCharges(client, tenant, firsts, mode);

  const earlier = firsts.filter((charge) => !wasInserted(outcome, charge));
  const stored = await storedRows(client, tenant, earlier);
  const repeated = firsts.length < charges.length ? byRequestId(firsts) : undefined;
  const created: Created[] = [];
  const results = charges.map((charge): RecordResult => {
    const row = stored.get(charge.requestId);
    if (row !== undefined) return resultAgainstRow(charge, row);
    const first = repeated?.get(charge.requestId) ?? charge;
    if (first !== charge) return resultAgainst(charge, chargeOf(first), first.contentHash);
    const made = { charge: chargeOf(charge), traceparent: charge.traceparent };
    created.push(made);
    return { outcome: 'created', charge: made.charge };
  });
  const entries = numbered(tenant, outcome.lastSequence, created);
  return { results, entries, metExisting: earlier.length > 0 };
}

type Created = Pick<JournalEntry, 'charge' | 'traceparent'>;

/** The journal numbers a group by its ids: the order of arrival, unless the clock was set back far. */
function numbered(tenant: string, lastSequence: bigint, created: Created[]): JournalEntry[] {
  const first = lastSequence - BigInt(created.length) + 1n;
  return created
    .sort((a, b) => (a.charge.id < b.charge.id ? -1 : 1))
    .map(({ charge, traceparent }, index) => ({
      tenant,
      sequence: first + BigInt(index),
      charge,
      traceparent,
    }));
}

/** Sorted by request id; sorting keeps those with the same one in the order of their arrival. */
function firstOfEachRequestId(charges: readonly NewCharge[]): NewCharge[] {
  const sorted = charges.toSorted((a, b) =>
    a.requestId < b.requestId ? -1 : Number(a.requestId > b.requestId),
  );
  return sorted.filter((charge, index) => charge.requestId !== sorted[index - 1]?.requestId);
}

function byRequestId(charges: readonly NewCharge[]): Map<string, NewCharge> {
  return new Map(charges.map((charge) => [charge.requestId, charge]));
}

async function storedRows(
  client: ClientBase,
  tenant: string,
  earlier: readonly NewCharge[],
): Promise<Map<string, ChargeRow>> {
  if (earlier.length === 0) return new Map();
  const requestKeys = earlier.map((charge) => charge.requestKey);
  const rows = await selectByRequestKeys(client, tenant, requestKeys);
  const stored = new Map(rows.map((row) => [requestIdOf(row), row]));
  const missing = earlier.filter((charge) => !stored.has(charge.requestId)).length;
  if (missing > 0) throw new Error(`${missing} request ids conflict with rows that do not exist`);
  return stored;
}

function resultAgainstRow(charge: NewCharge, row: ChargeRow): RecordResult {
  const stored = fromChargeRow(row);
  // The reply to an earlier attempt was lost after its COMMIT: the row is this very request.
  if (stored.id === charge.id) return { outcome: 'created', charge: stored };
  return resultAgainst(charge, stored, row.content_hash.replaceAll('-', ''));
}

/** The answer to a request whose id made `stored`, now or before. */
function resultAgainst(charge: NewCharge, stored: Charge, storedHash: string): RecordResult {
  if (storedHash === charge.contentHash) return { outcome: 'replayed', charge: stored };
  return {
    outcome: 'conflict',
    requestId: charge.requestId,
    chargeId: stored.id,
    field: firstDifference(stored, charge.content),
  };
}
