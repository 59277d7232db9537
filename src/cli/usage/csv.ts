/** `--csv`: a header and one line for each row, as RFC 4180 has it. */

import { stringify } from 'csv-stringify/sync';
import type { UsageRow } from '../../../generated/charge/v1/usage_service.ts';
import type { Output } from './output.ts';
import { countsOf, detailsOf, exactText, groupFields, kindText, timeOf } from './programs.ts';
import type { Question } from './question.ts';

/** Prints the rows. The columns are those that the total needs: one for each currency and each kind of quantity. */
export async function printCsv(
  question: Question,
  rows: AsyncIterable<UsageRow>,
  output: Output,
): Promise<void> {
  const columns = Object.keys(cellsOf(question, question.total));
  await output.write(lineOf(columns));
  for await (const row of rows) {
    const cells = cellsOf(question, row);
    if (!(await output.write(lineOf(columns.map((column) => cells[column] ?? ''))))) return;
  }
}

function lineOf(cells: readonly string[]): string {
  return stringify([[...cells]], { record_delimiter: 'windows' });
}

/** The cells of a row by their columns. */
function cellsOf({ options, total }: Question, row: UsageRow): Record<string, string> {
  const texts = Object.entries({ ...countsOf(row), ...detailsOf(row) }).map(
    ([name, count]): [string, string] => [name, String(count)],
  );
  const groups = groupFields(options, { ...row, group: row.group ?? total.group });
  const quantities = total.quantities.map(({ kind }): [string, string] => {
    const amount = row.quantities.find((quantity) => quantity.kind === kind)?.amount ?? 0n;
    return [`quantity_${kindText(kind)}`, String(amount)];
  });
  // An empty cell: no charge has an amount in this currency, which is not 0.
  const money = (['costs', 'reportedCosts'] as const).flatMap((field) =>
    total[field].map(({ currencyCode }): [string, string] => {
      const amount = row[field].find((other) => other.currencyCode === currencyCode);
      const name = field === 'costs' ? 'cost' : 'reported_cost';
      return [`${name}_${currencyCode.toLowerCase()}`, amount ? exactText(amount) : ''];
    }),
  );
  return {
    window_start: timeOf(row.windowStart, options) ?? '',
    window_end: timeOf(row.windowEnd, options) ?? '',
    ...groups,
    ...Object.fromEntries([...texts, ...quantities, ...money]),
  };
}
