/** One group of a reprice: the next rows of the walk, in one transaction. */

import type { EntityManager, MikroORM } from '@mikro-orm/postgresql';
import type { ClientBase } from 'pg';

import type { Transaction } from '../../database/transaction.ts';
import { ServiceError } from '../../errors/failure.ts';
import { InsertEvents, JOURNAL_KIND, lockTenant } from '../../journal/index.ts';
import type { Cost, Prices } from '../../prices/index.ts';
import type { Actor } from '../../tenants/index.ts';
import { CHARGE_STATE, type ListPosition } from '../charge.ts';
import type { RepricedEvent } from '../charge-event.ts';
import { newChargeId, timeOfChargeId } from '../charge-id.ts';
import { CostRevisionEntity, type CostRevisionRow } from '../correction-entities.ts';
import type { ChargeRow } from '../entity.ts';
import { amountOutOfRange, repricePeriodClosed } from '../errors.ts';
import type { RepricePage, RepriceQuery } from '../ports.ts';
import { addToTotals, reprice, type RepricedCharge, type RepriceTotals } from '../reprice.ts';
import { repricedEvent } from './event-rows.ts';
import { findByKeys } from './find-by-keys.ts';
import { lastClosedPeriod } from './period-closes.ts';
import { addRun, findRun } from './reprice-run.ts';
import { type Scan, scanCharges } from './reprice-scan.ts';

/** What a group did. */
export interface RepricedGroup {
  /** With all groups so far. */
  readonly page: RepricePage;
  /** What it added to the journal, in order. */
  readonly events: readonly RepricedEvent[];
}

/** Made once per database. */
export class RepriceGroups {
  readonly #prices: Prices;
  readonly #revisions: InsertEvents<CostRevisionRow>;

  constructor(orm: MikroORM, prices: Prices) {
    this.#prices = prices;
    this.#revisions = new InsertEvents(orm, CostRevisionEntity);
  }

  /**
   * Adds the next charges to the page, and records the costs that change. The tenant is locked only if there is
   * something to look at, and not for a dry run. Rejects with a {@link ServiceError} before anything is recorded:
   * `amount_out_of_range`, `period_closed`, `request_id_reused`.
   */
  async run(
    transaction: Transaction,
    tenant: string,
    query: RepriceQuery,
    page: RepricePage,
    actor: Actor,
  ): Promise<RepricedGroup> {
    const { client, em } = transaction;
    const { filter, includePriced, dryRun, maxCharges } = query;
    const known = dryRun ? undefined : await findRun(em, tenant, query);
    const scan = await scanCharges(em, tenant, { filter, includePriced, after: page.next });
    const { ids, next } = firstMatches(scan, maxCharges - page.totals.matchedCharges);
    if (ids.length === 0) return { page: { ...page, next }, events: [] };

    if (!dryRun) await lockTenant(client, tenant);
    const charges = await this.#reprice(em, tenant, query, ids);
    const totals = sumsWith(page.totals, charges);
    const changed = charges.filter((charge) => charge.changed);
    if (dryRun || changed.length === 0) return { page: { ...page, totals, next }, events: [] };

    const run = known ?? (await addRun(transaction, tenant, query, actor));
    const events = await this.#record(client, tenant, { ...query, run }, changed);
    return { page: { totals, lastSequence: events.at(-1)?.sequence ?? 0n, next }, events };
  }

  async #reprice(
    em: EntityManager,
    tenant: string,
    { includePriced, allowClosedPeriod }: RepriceQuery,
    ids: readonly string[],
  ): Promise<RepricedCharge<ChargeRow>[]> {
    // What the scan saw may have changed until the tenant was locked.
    const found = await findByKeys(em, tenant, 'id', ids);
    const matching = found.filter(
      ({ status, costNanos }) =>
        (status?.state ?? CHARGE_STATE.active) === CHARGE_STATE.active &&
        (includePriced || costNanos === undefined),
    );
    const prices = await this.#prices.within(em, tenant);
    const charges = matching.map((charge) => reprice(charge, prices.costOf(charge)));
    if (!allowClosedPeriod) await checkPeriod(em, tenant, charges);
    return charges;
  }

  /** Stores the new costs, and returns their events in order. */
  async #record(
    client: ClientBase,
    tenant: string,
    { run, runId, reason }: RepriceQuery & { readonly run: number },
    changed: readonly RepricedCharge<ChargeRow>[],
  ): Promise<RepricedEvent[]> {
    const made = changed.map(({ charge, cost }) => ({
      charge,
      revision: newRevision(tenant, run, charge, cost),
    }));
    const revisions = made.map(({ revision }) => revision);
    await this.#revisions.run(client, tenant, JOURNAL_KIND.repriced, revisions);
    return made.map(({ charge, revision }) => repricedEvent(charge, { ...revision, runId, reason }, charge));
  }
}

/** Whether the revisions of these events are stored: their COMMIT was not confirmed. */
export async function areStored(
  em: EntityManager,
  tenant: string,
  events: readonly RepricedEvent[],
): Promise<boolean> {
  const rows = await em.execute<object[]>(
    'SELECT FROM cost_revision WHERE tenant = :tenant AND id = :id::uuid',
    { tenant, id: events.at(-1)?.id ?? null },
    { loggerContext: em.getLoggerContext() },
  );
  return rows.length > 0;
}

/** The first matches of a scan, at most `max`, and the place after which to go on. */
function firstMatches(
  { charges, isLast }: Scan,
  max: number,
): { readonly ids: string[]; readonly next: ListPosition | undefined } {
  const ids: string[] = [];
  for (const charge of charges) {
    if (charge.matches) ids.push(charge.id);
    if (ids.length === max && charge !== charges.at(-1)) return { ids, next: charge };
  }
  return { ids, next: isLast ? undefined : charges.at(-1) };
}

function sumsWith(totals: RepriceTotals, charges: readonly RepricedCharge[]): RepriceTotals {
  const sums = addToTotals(totals, charges);
  if ('outOfRange' in sums) throw new ServiceError(amountOutOfRange(sums.outOfRange));
  return sums;
}

/** Throws if the cost of a charge in a closed period would change. */
async function checkPeriod(
  em: EntityManager,
  tenant: string,
  charges: readonly RepricedCharge[],
): Promise<void> {
  if (!charges.some(({ changed }) => changed)) return;
  const closed = await lastClosedPeriod(em, tenant);
  if (closed === undefined) return;
  const inside = charges.find(
    ({ changed, charge }) => changed && charge.usageTimeMicros < closed.endTimeMicros,
  );
  if (inside !== undefined) throw new ServiceError(repricePeriodClosed(closed, inside.charge.id));
}

/** The next cost of a charge without its number, which it gets when it is written. */
function newRevision(tenant: string, run: number, charge: ChargeRow, cost: Cost): CostRevisionRow {
  const id = newChargeId();
  return {
    ...cost,
    tenant,
    run,
    id,
    sequence: 0n,
    createTimeMicros: timeOfChargeId(id),
    chargeId: charge.id,
    revision: (charge.status?.revision ?? 0) + 1,
  };
}
