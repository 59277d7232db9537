/** What a reprice does to charges: which costs change, and the sums before and after. */

import { type Cost, NANOS_MAX } from '../prices/index.ts';
import type { Charge } from './charge.ts';

/** A charge with its cost until now, and what it costs by the prices as they are now. */
export interface RepricedCharge<C extends Charge = Charge> {
  readonly charge: C;
  readonly cost: Cost;
  /** Whether `cost` has to be recorded. */
  readonly changed: boolean;
}

/** A sum before and after, in billionths of the currency's unit. */
export interface AmountChange {
  readonly before: bigint;
  readonly after: bigint;
}

/** What a reprice did to the charges that it looked at. */
export interface RepriceTotals {
  readonly matchedCharges: number;
  readonly changedCharges: number;
  /** Afterwards. */
  readonly unpricedCharges: number;
  /** By currency code. UNPRICED charges are in no sum. */
  readonly amounts: ReadonlyMap<string, AmountChange>;
}

export const NOTHING_REPRICED: RepriceTotals = {
  matchedCharges: 0,
  changedCharges: 0,
  unpricedCharges: 0,
  amounts: new Map(),
};

/** The charge with its new cost. */
export function reprice<C extends Charge>(charge: C, cost: Cost): RepricedCharge<C> {
  return { charge, cost, changed: isOtherCost(charge, cost) };
}

/** An amount that stays the same is no other cost, even if another price version gives it. */
function isOtherCost(before: Cost, after: Cost): boolean {
  return (
    before.costNanos !== after.costNanos ||
    before.costCurrency !== after.costCurrency ||
    before.unpricedReason !== after.unpricedReason ||
    before.unpricedKinds !== after.unpricedKinds
  );
}

/** The totals with more charges; or the currency of a sum that a signed 64-bit integer does not hold. */
export function addToTotals(
  totals: RepriceTotals,
  charges: readonly RepricedCharge[],
): RepriceTotals | { readonly outOfRange: string } {
  const amounts = new Map(totals.amounts);
  const add = ({ costNanos, costCurrency }: Cost, side: keyof AmountChange): void => {
    if (costNanos === undefined) return;
    const sums = amounts.get(costCurrency) ?? { before: 0n, after: 0n };
    amounts.set(costCurrency, { ...sums, [side]: sums[side] + costNanos });
  };
  for (const { charge, cost } of charges) {
    add(charge, 'before');
    add(cost, 'after');
  }
  for (const [currencyCode, { before, after }] of amounts) {
    if (before > NANOS_MAX || after > NANOS_MAX) return { outOfRange: currencyCode };
  }
  return {
    matchedCharges: totals.matchedCharges + charges.length,
    changedCharges: totals.changedCharges + charges.filter(({ changed }) => changed).length,
    unpricedCharges:
      totals.unpricedCharges + charges.filter(({ cost }) => cost.costNanos === undefined).length,
    amounts,
  };
}
