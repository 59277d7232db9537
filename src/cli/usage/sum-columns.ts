/** The columns of sums in files: what each holds. */

import { UsageGroup, type UsageRow } from '../../../generated/charge/v1/usage_service.ts';
import { cellText, type Column } from '../cell-text.ts';
import { columnOf } from '../prices/kinds.ts';
import { microsOf, timestampOf } from '../time.ts';
import { nanosOf } from './measures.ts';
import { COUNTS, DETAILS } from './counts.ts';
import type { QuestionOptions } from './question-flags.ts';
import { zonedText } from './zone.ts';

/**
 * One column for each group, count, kind of quantity and currency that `total`, the sums of all rows, has. A row
 * without an amount in a currency has no value there, which is not 0.
 */
export function sumColumns(
  { dimensions }: Pick<QuestionOptions, 'dimensions'>,
  total: UsageRow,
): Column<UsageRow>[] {
  return [
    timeColumn('window_start', 'windowStart'),
    timeColumn('window_end', 'windowEnd'),
    ...dimensions.flatMap((dimension) =>
      Object.keys(dimension.fields(UsageGroup.fromPartial({}))).map((name): Column<UsageRow> => ({
        name,
        kind: 'text',
        value: ({ group }) => group && dimension.fields(group)[name],
      })),
    ),
    ...Object.entries({ ...COUNTS, ...DETAILS }).map(([name, value]): Column<UsageRow> => ({
      name,
      kind: 'count',
      value,
    })),
    ...total.quantities.map(({ kind }): Column<UsageRow> => ({
      name: `quantity_${columnOf(kind)}`,
      kind: 'count',
      value: ({ quantities }) => quantities.find((quantity) => quantity.kind === kind)?.amount ?? 0n,
    })),
    ...moneyColumns('cost', total, ({ costs }) => costs),
    ...moneyColumns('reported_cost', total, ({ reportedCosts }) => reportedCosts),
  ];
}

function timeColumn(name: string, field: 'windowStart' | 'windowEnd'): Column<UsageRow> {
  return { name, kind: 'micros', value: ({ [field]: time }) => time && microsOf(time) };
}

function moneyColumns(
  name: string,
  total: UsageRow,
  amountsOf: (row: UsageRow) => UsageRow['costs'],
): Column<UsageRow>[] {
  return amountsOf(total).map(({ currencyCode }) => ({
    name: `${name}_${currencyCode.toLowerCase()}`,
    kind: 'nanos',
    value: (row) => nanosOf(amountsOf(row), currencyCode),
  }));
}

/** The cell of a row as a text. Times have the offset of the zone. */
export function sumText({ kind, value }: Column<UsageRow>, row: UsageRow, zone: string): string {
  const cell = value(row);
  return kind === 'micros' && typeof cell === 'bigint'
    ? zonedText(timestampOf(cell), zone)
    : cellText(kind, cell);
}
