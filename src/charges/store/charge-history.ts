/** What happened to a charge, and how its costs are made up. */

import type { EntityManager } from '@mikro-orm/postgresql';

import type { Cost, CostLine, Prices, Usage } from '../../prices/index.ts';
import { type ChargeHistory, HISTORY_COSTS_MAX, type PastCost } from '../ports.ts';
import type { ChargeRow } from '../entity.ts';
import { findCorrections } from './corrections.ts';
import { revisionsOfCharge } from './cost-revisions.ts';
import { findRecorded } from './find-by-keys.ts';

/** The history of a charge, which is given as it is now. */
export async function readHistory(
  em: EntityManager,
  prices: Prices,
  charge: ChargeRow,
): Promise<ChargeHistory> {
  const { tenant, id } = charge;
  const [correction] = await findCorrections(em, tenant, 'chargeId', [id]);
  const revisions = await revisionsOfCharge(em, tenant, id, HISTORY_COSTS_MAX);
  const recorded = revisions.length < HISTORY_COSTS_MAX ? await findRecorded(em, tenant, [id]) : [];
  const costs: PastCost[] = [];
  for (const one of [...recorded.map(recordedCost), ...revisions.reverse()]) {
    const { revision, createTimeMicros, runId, reason, sequence } = one;
    const lines = await linesOf(prices, tenant, charge, one);
    costs.push({ cost: one, lines, revision, createTimeMicros, runId, reason, sequence });
  }
  return { charge, costs, correction };
}

function recordedCost(charge: ChargeRow): Cost & Omit<PastCost, 'cost' | 'lines'> {
  return { ...charge, revision: 0, runId: '', reason: '', sequence: 0n };
}

/** How a cost of some usage is made up; empty: there is no cost, or it is the reported one. */
export async function linesOf(
  prices: Prices,
  tenant: string,
  usage: Usage,
  { costNanos, priceVersion }: Cost,
): Promise<readonly CostLine[]> {
  if (costNanos === undefined) return [];
  const book = await prices.including(tenant, priceVersion);
  return book.linesWith(priceVersion, usage);
}
