/** The columns of a table of usage. */

import type { UsageRow } from '../../../generated/charge/v1/usage_service.ts';
import { group } from '../progress.ts';
import { amountText, decimalsFor, shareText } from './amounts.ts';
import { textOf, type Dimension } from './dimensions.ts';
import { bar } from './marks.ts';
import { COST, nanosOf } from './measures.ts';
import { safeName } from './names.ts';
import type { Question } from './question.ts';
import type { Column } from './table.ts';

/** A row of the table. */
export interface Shown {
  readonly row: UsageRow;
  /** In place of a name: `Total`. */
  readonly title?: string;
}

/** More currencies are told below the table. */
export const CURRENCY_COLUMNS_MAX = 3;
const BAR_WIDTH_MAX = 24;
/** Charges have no cost in the currency, which is not 0. */
const NO_AMOUNT = '-';

/** The names of the groups. `isFirst`: no column comes before them, so titles stand here. */
export function groupColumns(
  dimensions: readonly Dimension[],
  shown: readonly Shown[],
  isFirst: boolean,
): Column[] {
  return dimensions.map((dimension, index) => ({
    title: safeName(dimension.name).toUpperCase(),
    kind: 'name',
    cell: (number) => {
      const { row, title } = shown[number] ?? {};
      if (title !== undefined) return isFirst && index === 0 ? title : '';
      return (row?.group && safeName(textOf(dimension, row.group))) || '(none)';
    },
  }));
}

/** The sums: charges, tokens, costs, and what is compared. */
export function sumColumns(question: Question, shown: readonly Shown[]): Column[] {
  const { total, measure, currency, options } = question;
  const count = (title: string, kind: Column['kind'], of: (row: UsageRow) => bigint): Column => ({
    title,
    kind,
    cell: (number) => group(shown[number] ? of(shown[number].row) : 0n),
  });
  const kindOf = (name: string): Column['kind'] => (measure.name === name ? 'number' : 'extra');
  return [
    ...(options.withShares ? [shareColumn(question, shown)] : []),
    ...currenciesOf(question).map((code) => moneyColumn(`COST ${code}`, code, COST.amounts, shown)),
    ...(measure.name === 'reported-cost'
      ? [moneyColumn(`REPORTED ${currency}`, currency, measure.amounts, shown)]
      : []),
    count('CHARGES', 'number', ({ charges }) => charges),
    ...(total.unpricedCharges > 0n ? [count('UNPRICED', 'number', (row) => row.unpricedCharges)] : []),
    count('PROMPT', kindOf('prompt-tokens'), (row) => row.promptTokens),
    count('COMPLETION', kindOf('completion-tokens'), (row) => row.completionTokens),
    count('TOKENS', 'number', (row) => row.totalTokens),
  ];
}

/** The currencies that have a column, the one that is compared first. */
export function currenciesOf({ total, currency }: Question): string[] {
  const codes = total.costs.map(({ currencyCode }) => currencyCode);
  return codes.sort((a, b) => Number(b === currency) - Number(a === currency)).slice(0, CURRENCY_COLUMNS_MAX);
}

function moneyColumn(
  title: string,
  currency: string,
  amountsOf: typeof COST.amounts,
  shown: readonly Shown[],
): Column {
  const amounts = shown.map(({ row }) => nanosOf(amountsOf?.(row) ?? [], currency));
  const decimals = decimalsFor(amounts.map((nanos) => nanos ?? 0n));
  return {
    title,
    kind: 'number',
    cell: (number) => {
      const nanos = amounts[number];
      return nanos === undefined ? NO_AMOUNT : amountText(nanos, decimals);
    },
  };
}

function shareColumn({ total, measure, currency }: Question, shown: readonly Shown[]): Column {
  const all = measure.value(total, currency);
  return {
    title: 'SHARE',
    kind: 'number',
    cell: (number) => (shown[number] ? shareText(measure.value(shown[number].row, currency), all) : ''),
  };
}

/** Bars of what is compared. Rows with a title have none. */
export function barColumn({ measure, currency }: Question, shown: readonly Shown[]): Column {
  const values = shown.map(({ row, title }) => (title === undefined ? measure.value(row, currency) : 0n));
  const max = values.reduce((most, value) => (value > most ? value : most), 0n);
  return {
    title: '',
    kind: 'marks',
    widthMax: BAR_WIDTH_MAX,
    cell: (number, width) => bar(values[number] ?? 0n, max, width),
  };
}
