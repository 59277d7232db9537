/** Voids charges: a group of requests in one transaction. */

import type { EntityManager } from '@mikro-orm/postgresql';

import type { Transaction } from '../../database/transaction.ts';
import { ServiceError } from '../../errors/failure.ts';
import { JOURNAL_KIND } from '../../journal/index.ts';
import type { ChargeKey, ClosedPeriod, VoidRequest } from '../charge.ts';
import { decideVoid } from '../correction.ts';
import type { CorrectionRow } from '../correction-entities.ts';
import type { ChargeRow } from '../entity.ts';
import type { CorrectedCharge } from '../ports.ts';
import { newCorrection, type Outcome } from './correction-rows.ts';
import { findCorrections } from './corrections.ts';
import { corrected, voidedEvent } from './event-rows.ts';
import { findByKeys } from './find-by-keys.ts';
import type { InsertCorrections } from './insert-corrections.ts';
import { lastClosedPeriod } from './period-closes.ts';
import { requestKey } from './request-key.ts';

/** A request with the id that its correction gets. */
export interface NewVoid {
  readonly id: string;
  readonly request: VoidRequest;
}

/**
 * Voids in the order of the requests. The transaction has locked the tenant. Repeating it with the same ids is safe
 * and gives the same results, whether or not an earlier attempt was committed.
 */
export async function voidCharges(
  { client, em }: Transaction,
  insert: InsertCorrections,
  tenant: string,
  voids: readonly NewVoid[],
): Promise<Outcome<CorrectedCharge>> {
  const state = await readState(em, tenant, voids);
  const made: CorrectionRow[] = [];
  const decided = voids.map((one) => {
    const decision = decide(one, state);
    if (decision.outcome !== 'correct') return decision;
    const correction = newCorrection(one.id, one.request, decision);
    made.push(correction);
    // The requests after this one see it.
    state.byChargeId.set(correction.chargeId, correction);
    state.byRequestId.set(correction.requestId, correction);
    return { ...decision, correction };
  });
  if (made.length > 0) await insert.corrections(client, tenant, JOURNAL_KIND.voided, made);

  const results = decided.map((decision, index): CorrectedCharge | ServiceError => {
    if (decision.outcome === 'refuse') return new ServiceError(decision.failure);
    const { charge, correction } = decision;
    // If it has our id, the reply to an earlier attempt was lost after its COMMIT.
    const replayed = correction.id !== voids[index]?.id;
    return { charge: corrected(charge, correction), correction, replayed };
  });
  const events = decided.flatMap((decision) =>
    decision.outcome === 'correct' ? [voidedEvent(decision.charge, decision.correction)] : [],
  );
  return { results, events };
}

/** What is stored about the charges of a group, and what the group has decided so far. */
interface State {
  /** By the key of the request. */
  readonly charges: ReadonlyMap<string, ChargeRow>;
  readonly byChargeId: Map<string, CorrectionRow>;
  readonly byRequestId: Map<string, CorrectionRow>;
  readonly closed: ClosedPeriod | undefined;
}

function decide({ request }: NewVoid, { charges, byChargeId, byRequestId, closed }: State) {
  const charge = charges.get(keyText(request.key));
  const correction = charge && byChargeId.get(charge.id);
  return decideVoid(request, { charge, correction, closed }, byRequestId.get(request.requestId));
}

async function readState(em: EntityManager, tenant: string, voids: readonly NewVoid[]): Promise<State> {
  const charges = await chargesByKey(
    em,
    tenant,
    voids.map(({ request }) => request.key),
  );
  const chargeIds = [...new Set([...charges.values()].map(({ id }) => id))];
  const ofCharges = await findCorrections(em, tenant, 'chargeId', chargeIds);
  const requestIds = [...new Set(voids.map(({ request }) => request.requestId))];
  const ofRequests = await findCorrections(em, tenant, 'requestId', requestIds);
  return {
    charges,
    byChargeId: new Map(ofCharges.map((row) => [row.chargeId, row])),
    byRequestId: new Map(ofRequests.map((row) => [row.requestId, row])),
    closed: await lastClosedPeriod(em, tenant),
  };
}

/** The charges that have these keys, by the text of the key. */
async function chargesByKey(
  em: EntityManager,
  tenant: string,
  keys: readonly ChargeKey[],
): Promise<Map<string, ChargeRow>> {
  const texts = [...new Set(keys.map(keyText))];
  const ids = texts.filter((text) => !text.startsWith(BY_REQUEST_ID));
  const requestKeys = texts
    .filter((text) => text.startsWith(BY_REQUEST_ID))
    .map((text) => text.slice(BY_REQUEST_ID.length));
  const byId = ids.length > 0 ? await findByKeys(em, tenant, 'id', ids) : [];
  const byRequestId = requestKeys.length > 0 ? await findByKeys(em, tenant, 'requestKey', requestKeys) : [];
  return new Map([
    ...byId.map((charge) => [charge.id, charge] as const),
    ...byRequestId.map((charge) => [BY_REQUEST_ID + charge.requestKey, charge] as const),
  ]);
}

const BY_REQUEST_ID = 'request:';

function keyText(key: ChargeKey): string {
  return 'id' in key ? key.id : BY_REQUEST_ID + requestKey(key.requestId);
}
