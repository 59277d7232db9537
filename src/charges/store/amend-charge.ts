/** Puts another charge in the place of one, in one transaction. */

import type { Transaction } from '../../database/transaction.ts';
import { type Failure, ServiceError } from '../../errors/failure.ts';
import { type InsertEvents, JOURNAL_KIND } from '../../journal/index.ts';
import type { Cost, PriceBook, Prices } from '../../prices/index.ts';
import {
  type Actor,
  appendAuditEntry,
  checkUserProfiles,
  createIfMissing,
  UNKNOWN_USER_PROFILES,
} from '../../tenants/index.ts';
import type { AmendRequest } from '../charge.ts';
import { isErased } from '../canonical-content.ts';
import { decideAmend, keepsPriceVersion, withUsageTime } from '../correction.ts';
import type { CorrectionRow } from '../correction-entities.ts';
import type { ChargeRow } from '../entity.ts';
import { recordedAndArchived, recordedAndErased, userProfileRefused } from '../errors.ts';
import type { CorrectedCharge } from '../ports.ts';
import { findArchivedCharge } from './archived-charges.ts';
import { newCharge } from './charge-row.ts';
import { newCorrection, type Outcome } from './correction-rows.ts';
import { findCorrections } from './corrections.ts';
import { amendedEvent, corrected } from './event-rows.ts';
import { findByKey, findCharge } from './find-by-keys.ts';
import type { InsertReplacement } from './insert-replacement.ts';
import { lastClosedPeriod } from './period-closes.ts';
import { requestKey } from './request-key.ts';

/** A request with the ids that its correction and the replacement get. */
export interface NewAmendment {
  readonly id: string;
  readonly replacementId: string;
  readonly request: AmendRequest;
  readonly actor: Actor;
}

/** What writes an amendment. */
export interface AmendmentStatements {
  readonly corrections: InsertEvents<CorrectionRow>;
  readonly replacement: InsertReplacement;
}

/**
 * Amends a charge. The transaction has locked the tenant. Repeating it with the same ids is safe and gives the same
 * result, whether or not an earlier attempt was committed. Fails with `isRequestIdConflict` if a new charge has taken
 * the request id in the meantime: new charges do not wait for the lock.
 */
export async function amendCharge(
  transaction: Transaction,
  insert: AmendmentStatements,
  prices: Prices,
  unknownUserProfiles: number,
  tenant: string,
  { id, replacementId, request, actor }: NewAmendment,
): Promise<Outcome<CorrectedCharge>> {
  const { client, em } = transaction;
  const { key, requestId } = request;
  const made = await findByKey(em, tenant, 'requestKey', requestKey(requestId));
  if (made !== undefined && isErased(made)) return refused(recordedAndErased(made.id));
  const gone = made === undefined ? await findArchivedCharge(em, tenant, { requestId }) : undefined;
  if (gone !== undefined)
    return refused(isErased(gone) ? recordedAndErased(gone.id) : recordedAndArchived(gone.id));
  const charge = await findCharge(em, tenant, key);
  const archived = charge === undefined ? await findArchivedCharge(em, tenant, key) : undefined;
  const [correction] = charge === undefined ? [] : await findCorrections(em, tenant, 'chargeId', [charge.id]);
  const closed = await lastClosedPeriod(em, tenant);
  const decision = decideAmend(request, { charge, archivedId: archived?.id, correction, closed }, made);
  if (decision.outcome === 'refuse') return refused(decision.failure);
  if (decision.outcome === 'replay') {
    // If it has our id, the reply to an earlier attempt was lost after its COMMIT.
    const replayed = decision.correction.id !== id;
    return { results: [{ ...decision, replacement: made, replayed }], events: [] };
  }

  const original = decision.charge;
  const replacement = newReplacement(original, request, replacementId);
  const { userProfile } = replacement;
  // What was recorded of a person can be put right, also once the user profile is disabled or erased.
  const isOther = userProfile !== original.userProfile;
  if (isOther && unknownUserProfiles === UNKNOWN_USER_PROFILES.refuse) {
    const fault = (await checkUserProfiles(em, tenant, [userProfile])).faults.get(userProfile);
    if (fault !== undefined) return refused(userProfileRefused({ userProfile, fault }));
  }
  const book = await prices.within(em, tenant);
  Object.assign(replacement, costOf(book, original, replacement));
  const amendment = newCorrection(id, request, decision, replacementId);
  await insert.replacement.run(client, tenant, replacement);
  await appendAuditEntry(transaction, actor, {
    tenant,
    action: 'charge.v1.ChargeService/AmendCharge',
    target: original.id,
    details: new Map([['replacement', replacementId]]),
  });
  if (isOther && unknownUserProfiles === UNKNOWN_USER_PROFILES.create)
    await createIfMissing(em, tenant, userProfile);
  await insert.corrections.run(client, tenant, JOURNAL_KIND.amended, [amendment]);
  const result = {
    charge: corrected(original, amendment),
    correction: amendment,
    replacement,
    replayed: false,
  };
  return { results: [result], events: [amendedEvent(original, replacement, amendment)] };
}

function refused(failure: Failure): Outcome<CorrectedCharge> {
  return { results: [new ServiceError(failure)], events: [] };
}

/** It stays part of the import of the original, so that a void of the import finds it. */
function newReplacement(original: ChargeRow, request: AmendRequest, id: string): ChargeRow {
  const { requestId, traceparent } = request;
  const content = withUsageTime(request.content, original);
  const { tenant, importId } = original;
  return { ...newCharge(tenant, { requestId, content, importId, traceparent }, id), amends: original.id };
}

/** While the tenant is locked nobody adds a price version, so the last one is the one before it in the journal. */
function costOf(prices: PriceBook, original: ChargeRow, replacement: ChargeRow): Cost {
  return keepsPriceVersion(original, replacement)
    ? prices.costWith(original.priceVersion, replacement)
    : prices.costOf(replacement);
}
