/** What rows are ordered by. */

import type { Money } from '../../../generated/charge/v1/money.ts';
import { UsageOrder, type UsageRow } from '../../../generated/charge/v1/usage_service.ts';
import { quote } from '../import/values.ts';

/** Something that is summed. */
export interface Measure {
  /** As on the command line. */
  readonly name: string;
  readonly order: UsageOrder;
  /** For people: `reported cost`. */
  readonly text: string;
  /** The amounts among which `--currency` chooses. Undefined: it is no money. */
  readonly amounts?: (row: UsageRow) => readonly Money[];
  /** In nanos if it is money. */
  value(row: UsageRow, currency: string): bigint;
}

function ofMoney(name: string, order: UsageOrder, amounts: (row: UsageRow) => readonly Money[]): Measure {
  const text = name.replace('-', ' ');
  return { name, order, text, amounts, value: (row, currency) => nanosOf(amounts(row), currency) ?? 0n };
}

function ofCount(
  name: string,
  order: UsageOrder,
  value: (row: UsageRow) => bigint,
  text = name.replace('-', ' '),
): Measure {
  return { name, order, text, value };
}

export const COST = ofMoney('cost', UsageOrder.USAGE_ORDER_COST, ({ costs }) => costs);
export const TOKENS = ofCount('tokens', UsageOrder.USAGE_ORDER_TOTAL_TOKENS, (row) => row.totalTokens);

const MEASURES: readonly Measure[] = [
  COST,
  ofCount('charges', UsageOrder.USAGE_ORDER_CHARGES, ({ charges }) => charges),
  TOKENS,
  ofCount('prompt-tokens', UsageOrder.USAGE_ORDER_PROMPT_TOKENS, (row) => row.promptTokens),
  ofCount('completion-tokens', UsageOrder.USAGE_ORDER_COMPLETION_TOKENS, (row) => row.completionTokens),
  ofMoney('reported-cost', UsageOrder.USAGE_ORDER_REPORTED_COST, (row) => row.reportedCosts),
  ofCount(
    'unpriced',
    UsageOrder.USAGE_ORDER_UNPRICED_CHARGES,
    (row) => row.unpricedCharges,
    'unpriced charges',
  ),
];

/** Every name, for messages and help. */
export const MEASURE_NAMES = MEASURES.map(({ name }) => name).join(', ');

/** Reads the name of a measure; undefined without one, and after a fault. `others`: names that are read elsewhere. */
export function readMeasure(
  flag: string,
  text: string | undefined,
  faults: string[],
  others = '',
): Measure | undefined {
  const measure = MEASURES.find(({ name }) => name === text);
  if (!measure && text !== undefined)
    faults.push(`${flag}: ${quote(text)} is none of ${MEASURE_NAMES}${others}`);
  return measure;
}

/** The amount in a currency. Undefined: there is none, which is not the same as 0. */
export function nanosOf(amounts: readonly Money[], currency: string): bigint | undefined {
  return amounts.find(({ currencyCode }) => currencyCode === currency)?.nanos;
}

/** The currency with the largest amount; empty: there are no amounts. */
export function largestCurrency(amounts: readonly Money[]): string {
  let largest: Money | undefined;
  for (const amount of amounts) if (!largest || amount.nanos > largest.nanos) largest = amount;
  return largest?.currencyCode ?? '';
}
