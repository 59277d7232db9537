/** `--csv`: a header and one line for each row, as RFC 4180 has it. */

import { stringify } from 'csv-stringify/sync';
import type { UsageRow } from '../../../generated/charge/v1/usage_service.ts';
import type { Output } from './output.ts';
import type { Question } from './question.ts';
import { sumColumns, sumText } from './sum-columns.ts';

/** Prints the rows. The columns are those that the total needs: one for each currency and each kind of quantity. */
export async function printCsv(
  { options, total }: Question,
  rows: AsyncIterable<UsageRow>,
  output: Output,
): Promise<void> {
  const columns = sumColumns(options, total);
  await output.write(lineOf(columns.map(({ name }) => name)));
  for await (const row of rows) {
    const cells = columns.map((column) => sumText(column, row, options.zone));
    if (!(await output.write(lineOf(cells)))) return;
  }
}

function lineOf(cells: string[]): string {
  return stringify([cells], { record_delimiter: 'windows' });
}
