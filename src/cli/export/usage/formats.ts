/** The formats of exported sums that are lines. docs/export.md says what stands in each column. */

import type { UsageRow } from '../../../../generated/charge/v1/usage_service.ts';
import type { Column } from '../../cell-text.ts';
import { rowOf, textOf } from '../../usage/json.ts';
import type { QuestionOptions } from '../../usage/question-flags.ts';
import { sumColumns, sumText } from '../../usage/sum-columns.ts';
import { csvLines } from '../csv.ts';
import type { LineFormat } from '../line-format.ts';
import { usageFocusFormat } from './focus.ts';

/** What the rows of an export have in common. */
export interface Answer {
  readonly options: QuestionOptions;
  /** The sums of all rows. */
  readonly total: UsageRow;
  /** The sequence that all of them are true for. */
  readonly asOf: bigint;
}

/** The columns of CSV and Parquet. */
export function usageColumns({ options, total, asOf }: Answer): Column<UsageRow>[] {
  const columns = sumColumns(options, total).flatMap((column): Column<UsageRow>[] =>
    column.kind === 'nanos'
      ? [column, { name: `${column.name}_nanos`, kind: 'count', value: column.value }]
      : [column],
  );
  return [...columns, { name: 'as_of_sequence', kind: 'count', value: () => asOf }];
}

/** Opens a format of lines. */
export function usageFormat(name: 'csv' | 'ndjson' | 'focus', answer: Answer): LineFormat<UsageRow> {
  switch (name) {
    case 'csv':
      return csvFormat(answer);
    case 'ndjson':
      return ndjsonFormat(answer);
    case 'focus':
      return usageFocusFormat(answer.options, answer.asOf);
  }
}

function csvFormat(answer: Answer): LineFormat<UsageRow> {
  const columns = usageColumns(answer);
  const { zone } = answer.options;
  return {
    head: csvLines([columns.map(({ name }) => name)]),
    lines: (rows) => csvLines(rows.map((row) => columns.map((column) => sumText(column, row, zone)))),
  };
}

/** Each line is a row of `charge usage --json`. */
function ndjsonFormat({ options, asOf }: Answer): LineFormat<UsageRow> {
  const lineOf = (row: UsageRow): string =>
    `${textOf({ ...rowOf(options, row), as_of_sequence: String(asOf) })}\n`;
  return { head: '', lines: (rows) => rows.map(lineOf).join('') };
}
