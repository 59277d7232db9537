/** Arithmetic with rows. */

import type { Money } from '../../../generated/charge/v1/money.ts';
import type { UsageRow } from '../../../generated/charge/v1/usage_service.ts';

const COUNTS = [
  'charges',
  'unpricedCharges',
  'promptTokens',
  'completionTokens',
  'totalTokens',
] as const satisfies readonly (keyof UsageRow)[];

/** What is left of the total without these rows. Token details and quantities stay those of the total. */
export function without(total: UsageRow, rows: readonly UsageRow[]): UsageRow {
  const rest = { ...total, costs: [...total.costs], reportedCosts: [...total.reportedCosts] };
  for (const row of rows) {
    for (const name of COUNTS) rest[name] -= row[name];
    rest.costs = subtract(rest.costs, row.costs);
    rest.reportedCosts = subtract(rest.reportedCosts, row.reportedCosts);
  }
  // Nothing is left of a currency, or none of what is left has a cost: that is no amount, rather than 0.
  const isUnpriced = rest.charges === rest.unpricedCharges;
  if (isUnpriced || rest.costs.length > 1) rest.costs = rest.costs.filter(({ nanos }) => nanos !== 0n);
  rest.reportedCosts = rest.reportedCosts.filter(({ nanos }) => nanos !== 0n);
  return rest;
}

function subtract(amounts: readonly Money[], less: readonly Money[]): Money[] {
  return amounts.map(({ currencyCode, nanos }) => ({
    currencyCode,
    nanos: nanos - (less.find((money) => money.currencyCode === currencyCode)?.nanos ?? 0n),
  }));
}
