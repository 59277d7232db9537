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
  return rest;
}

function subtract(amounts: readonly Money[], less: readonly Money[]): Money[] {
  return amounts.map(({ currencyCode, nanos }) => ({
    currencyCode,
    nanos: nanos - (less.find((money) => money.currencyCode === currencyCode)?.nanos ?? 0n),
  }));
}
