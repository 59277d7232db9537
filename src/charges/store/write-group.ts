/** One group of requests: what goes into the statement, and what each caller is answered. */

import { forTenant, withClient } from '../../database/driver.ts';
import type { Database } from '../../database/orm.ts';
import { isStatementError } from '../../database/sql-errors.ts';
import { inTransaction } from '../../database/transaction.ts';
import { lockTenant } from '../../journal/index.ts';
import type { PriceBook, Prices } from '../../prices/index.ts';
import { checkUserProfiles, type KnownUserProfiles } from '../../tenants/index.ts';
import { firstDifference, isErased } from '../canonical-content.ts';
import type { RecordResult } from '../charge.ts';
import type { ChargeEvent } from '../charge-event.ts';
import type { ArchivedChargeRow } from '../archive-entities.ts';
import type { ChargeRow } from '../entity.ts';
import { findArchived } from './archived-charges.ts';
import { findByKeys } from './find-by-keys.ts';
import { type InsertCharges, type InsertMode, type InsertOutcome, wasInserted } from './insert-charges.ts';
import { requestIdOf } from './charge-row.ts';
import { createdEvent } from './event-rows.ts';
import { applySetting, type Faults, withoutFault } from './user-profile-setting.ts';

/** What a group did. */
export interface GroupOutcome {
  /** One per charge, in order. */
  readonly results: readonly RecordResult[];
  /** What the group added to the tenant's journal, in order. */
  readonly events: readonly ChargeEvent[];
  /** Whether request ids of the group existed before. */
  readonly metExisting: boolean;
}

/** How a group is checked, priced and written. */
export interface WriteOptions {
  readonly mode: InsertMode;
  readonly prices: Prices;
  readonly userProfiles: KnownUserProfiles;
  /** One of `UNKNOWN_USER_PROFILES`; 0: accept. */
  readonly unknownUserProfiles: number;
  /**
   * First waits for the lock of the tenant, then looks at the latest prices and at the user profiles: nobody adds or
   * disables any meanwhile.
   */
  readonly locked: boolean;
}

/**
 * Prices and writes charges of one tenant in one transaction and resolves after COMMIT. Repeating it with the same
 * charges is safe and gives the same results, whether or not an earlier attempt was committed. If it rejects without
 * having called `mayBeStored`, this attempt has stored nothing.
 */
export async function writeGroup(
  database: Database,
  insert: InsertCharges,
  tenant: string,
  charges: readonly ChargeRow[],
  options: WriteOptions,
  mayBeStored: () => void,
): Promise<GroupOutcome> {
  const firsts = firstOfEachRequest(charges);
  const write = options.locked ? insertLocked : insertUnlocked;
  const { outcome, faults } = await write(database, insert, tenant, firsts, options, mayBeStored);
  // It is, and the caller may still not hear of it.
  if (outcome.lastSequence > 0n) mayBeStored();

  const earlier = firsts.filter((charge) => faults.has(charge.userProfile) || !wasInserted(outcome, charge));
  const { stored, archived } = await findEarlier(database, tenant, earlier);
  const isEarlier = ({ requestKey }: ChargeRow) => stored.has(requestKey) || archived.has(requestKey);
  const refused = new Map(
    earlier
      .filter((charge) => !isEarlier(charge))
      .map((charge) => [charge.requestKey, refusal(faults, charge)]),
  );
  const repeated = firsts.length < charges.length ? byRequest(firsts) : undefined;
  const created: ChargeRow[] = [];
  const results = charges.map((charge): RecordResult => {
    const row = stored.get(charge.requestKey);
    if (row !== undefined) return resultAgainstStored(charge, row);
    const gone = archived.get(charge.requestKey);
    if (gone !== undefined) return resultAgainstArchived(charge, gone);
    // One answer for all with this request id: the first one's.
    const refusal = refused.get(charge.requestKey);
    if (refusal !== undefined) return refusal;
    const first = repeated?.get(charge.requestKey) ?? charge;
    if (first !== charge) return resultAgainst(charge, first);
    created.push(charge);
    return { outcome: 'created', charge };
  });
  const events = numbered(outcome.lastSequence, created);
  return { results, events, metExisting: earlier.length > refused.size };
}

/** What the statement did with the charges of user profiles without a fault. The others are not written. */
interface Written {
  readonly outcome: InsertOutcome;
  readonly faults: Faults;
}

async function insertUnlocked(
  { pool }: Database,
  insert: InsertCharges,
  tenant: string,
  charges: readonly ChargeRow[],
  { mode, prices, userProfiles, unknownUserProfiles }: WriteOptions,
  mayBeStored: () => void,
): Promise<Written> {
  const known = await prices.get(tenant);
  const { faults, ...userProfileOptions } = await applySetting(unknownUserProfiles, charges, (ids) =>
    userProfiles.check(tenant, ids),
  );
  return withClient(pool, async (client) => {
    const priceVersion = priceAll(charges, known);
    const options = { mode, priceVersion, ...userProfileOptions };
    try {
      const outcome = await insert.commit(client, tenant, withoutFault(charges, faults), options);
      return { outcome, faults };
    } catch (error) {
      if (!isStatementError(error)) mayBeStored();
      throw error;
    }
  });
}

function insertLocked(
  database: Database,
  insert: InsertCharges,
  tenant: string,
  charges: readonly ChargeRow[],
  { mode, prices, unknownUserProfiles }: WriteOptions,
  mayBeStored: () => void,
): Promise<Written> {
  return inTransaction(
    database,
    tenant,
    async ({ client, em }) => {
      await lockTenant(client, tenant);
      const priceVersion = priceAll(charges, await prices.within(em, tenant));
      const { faults, ...userProfileOptions } = await applySetting(unknownUserProfiles, charges, (ids) =>
        checkUserProfiles(em, tenant, ids),
      );
      const options = { mode, priceVersion, ...userProfileOptions };
      const outcome = await insert.run(client, tenant, withoutFault(charges, faults), options);
      return { outcome, faults };
    },
    mayBeStored,
  );
}

/** Returns the last version that could have priced the charges. */
function priceAll(charges: readonly ChargeRow[], prices: PriceBook): number {
  for (const charge of charges) Object.assign(charge, prices.costOf(charge));
  return prices.version;
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

function byRequest<Row extends { readonly requestKey: string }>(charges: readonly Row[]): Map<string, Row> {
  return new Map(charges.map((charge) => [charge.requestKey, charge]));
}

/** What earlier requests made, by request key. */
interface Earlier {
  readonly stored: ReadonlyMap<string, ChargeRow>;
  readonly archived: ReadonlyMap<string, ArchivedChargeRow>;
}

const NOTHING_EARLIER: Earlier = { stored: new Map(), archived: new Map() };

/**
 * What earlier requests with these keys made. New statements: they see what the insert waited for. Archived charges come
 * second, because a charge that is still found first may be archived before the second statement, and not back.
 */
async function findEarlier(
  database: Database,
  tenant: string,
  earlier: readonly ChargeRow[],
): Promise<Earlier> {
  if (earlier.length === 0) return NOTHING_EARLIER;
  const em = forTenant(database.em, tenant);
  const keys = earlier.map(({ requestKey }) => requestKey);
  const stored = byRequest(await findByKeys(em, tenant, 'requestKey', keys));
  const others = keys.filter((key) => !stored.has(key));
  const archived = byRequest(await findArchived(em, tenant, 'requestKey', others));
  return { stored, archived };
}

/** The answer to a request that made nothing, now or before. */
function refusal(faults: Faults, charge: ChargeRow): RecordResult {
  const fault = faults.get(charge.userProfile);
  if (fault === undefined) throw new Error('a request id conflicts with a row that does not exist');
  return { outcome: 'refused', userProfile: charge.userProfile, fault };
}

function resultAgainstStored(charge: ChargeRow, stored: ChargeRow): RecordResult {
  // The reply to an earlier attempt was lost after its COMMIT: the row is this very request.
  if (stored.id === charge.id) return { outcome: 'created', charge: stored };
  if (isErased(stored)) return { outcome: 'erased', requestId: requestIdOf(charge), chargeId: stored.id };
  return resultAgainst(charge, stored);
}

/** The answer to a request whose id made `stored`, now or before. */
function resultAgainst(charge: ChargeRow, stored: ChargeRow): RecordResult {
  if (charge.contentHash === stored.contentHash) return { outcome: 'replayed', charge: stored };
  return {
    outcome: 'conflict',
    requestId: requestIdOf(charge),
    chargeId: stored.id,
    userProfile: stored.userProfile,
    field: firstDifference(stored, charge),
  };
}

function resultAgainstArchived(
  charge: ChargeRow,
  { id: chargeId, contentHash }: ArchivedChargeRow,
): RecordResult {
  if (isErased({ contentHash })) return { outcome: 'erased', requestId: requestIdOf(charge), chargeId };
  if (charge.contentHash === contentHash) return { outcome: 'archived', chargeId };
  const requestId = requestIdOf(charge);
  return { outcome: 'conflict', requestId, chargeId, userProfile: undefined, field: undefined };
}
