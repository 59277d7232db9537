/** Voids charges: a group of requests in one transaction. */

import type { EntityManager } from '@mikro-orm/postgresql';

import type { Transaction } from '../../database/transaction.ts';
import { ServiceError } from '../../errors/failure.ts';
import { type InsertEvents, JOURNAL_KIND } from '../../journal/index.ts';
import { type Actor, appendAuditEntries } from '../../tenants/index.ts';
import type { ChargeKey, ClosedPeriod, VoidRequest } from '../charge.ts';
import { decideVoid } from '../correction.ts';
import type { CorrectionRow } from '../correction-entities.ts';
import type { ChargeRow } from '../entity.ts';
import type { CorrectedCharge } from '../ports.ts';
import { findArchived } from './archived-charges.ts';
import { newCorrection, type Outcome } from './correction-rows.ts';
import { findCorrections } from './corrections.ts';
import { corrected, voidedEvent } from './event-rows.ts';
import { findByKeys } from './find-by-keys.ts';
import { lastClosedPeriod } from './period-closes.ts';
import { requestKey } from './request-key.ts';

/** A request with the id that its correction gets. */
export interface NewVoid {
  readonly id: string;
  readonly request: VoidRequest;
  readonly actor: Actor;
}

/**
 * Voids in the order of the requests. The transaction has locked the tenant. Repeating it with the same ids is safe
 * and gives the same results, whether or not an earlier attempt was committed.
 */
export async function voidCharges(
  transaction: Transaction,
  corrections: InsertEvents<CorrectionRow>,
  tenant: string,
  voids: readonly NewVoid[],
): Promise<Outcome<CorrectedCharge>> {
  const { client, em } = transaction;
  const state = await readState(em, tenant, voids);
  const made: CorrectionRow[] = [];
  const acts: { readonly actor: Actor; readonly chargeId: string }[] = [];
  const decided = voids.map((one) => {
    const decision = decide(one, state);
    if (decision.outcome !== 'correct') return decision;
    const correction = newCorrection(one.id, one.request, decision);
    made.push(correction);
    acts.push({ actor: one.actor, chargeId: correction.chargeId });
    // The requests after this one see it.
    state.byChargeId.set(correction.chargeId, correction);
    state.byRequestId.set(correction.requestId, correction);
    return { ...decision, correction };
  });
  if (made.length > 0) {
    // First: the corrections lock the journal's head.
    await appendAuditEntries(transaction, auditEntries(tenant, acts));
    await corrections.run(client, tenant, JOURNAL_KIND.voided, made);
  }

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

/** One entry for each caller of the group: who voids an import, voids thousands of charges. */
function auditEntries(tenant: string, acts: readonly { readonly actor: Actor; readonly chargeId: string }[]) {
  const action = 'charge.v1.ChargeService/VoidCharge';
  const byCaller = Map.groupBy(acts, ({ actor: { principal, peer } }) => `${peer} ${principal.name}`);
  return [...byCaller.values()].flatMap((own) => {
    const target = own.map(({ chargeId }) => chargeId).join(', ');
    const details = new Map([['charges', String(own.length)]]);
    return own.slice(0, 1).map(({ actor }) => ({ actor, act: { tenant, action, target, details } }));
  });
}

/** What is stored about the charges of a group, and what the group has decided so far. */
interface State {
  readonly chargeOf: (key: ChargeKey) => ChargeRow | undefined;
  readonly archivedIdOf: (key: ChargeKey) => string | undefined;
  readonly byChargeId: Map<string, CorrectionRow>;
  readonly byRequestId: Map<string, CorrectionRow>;
  readonly closed: ClosedPeriod | undefined;
}

function decide({ request }: NewVoid, state: State) {
  const { chargeOf, archivedIdOf, byChargeId, byRequestId, closed } = state;
  const charge = chargeOf(request.key);
  const archivedId = archivedIdOf(request.key);
  const correction = charge && byChargeId.get(charge.id);
  return decideVoid(request, { charge, archivedId, correction, closed }, byRequestId.get(request.requestId));
}

async function readState(em: EntityManager, tenant: string, voids: readonly NewVoid[]): Promise<State> {
  const keys = voids.map(({ request }) => request.key);
  const ids = distinct(keys.flatMap((key) => ('id' in key ? key.id : [])));
  const requestKeys = distinct(keys.flatMap((key) => ('id' in key ? [] : requestKey(key.requestId))));
  const charges = await findByKeys(em, tenant, 'id', ids);
  const others = await findByKeys(em, tenant, 'requestKey', requestKeys);
  const chargeIds = distinct([...charges, ...others].map(({ id }) => id));
  const ofCharges = await findCorrections(em, tenant, 'chargeId', chargeIds);
  const requestIds = distinct(voids.map(({ request }) => request.requestId));
  const ofRequests = await findCorrections(em, tenant, 'requestId', requestIds);
  const byId = new Map(charges.map((charge) => [charge.id, charge]));
  const byKey = new Map(others.map((charge) => [charge.requestKey, charge]));
  const unknownIds = ids.filter((id) => !byId.has(id));
  const unknownKeys = requestKeys.filter((key) => !byKey.has(key));
  const archived = [
    ...(await findArchived(em, tenant, 'id', unknownIds)),
    ...(await findArchived(em, tenant, 'requestKey', unknownKeys)),
  ];
  return {
    chargeOf: (key) => ('id' in key ? byId.get(key.id) : byKey.get(requestKey(key.requestId))),
    archivedIdOf: (key) =>
      archived.find((one) => ('id' in key ? one.id === key.id : one.requestKey === requestKey(key.requestId)))
        ?.id,
    byChargeId: new Map(ofCharges.map((row) => [row.chargeId, row])),
    byRequestId: new Map(ofRequests.map((row) => [row.requestId, row])),
    closed: await lastClosedPeriod(em, tenant),
  };
}

function distinct(texts: readonly string[]): string[] {
  return [...new Set(texts)];
}
