/** Values that lines of one kind give to the lines after them. */

import { cellsOf } from './columns.ts';
import type { Layout } from './layouts/layout.ts';
import type { Row } from './row.ts';

/** Gives later rows what a layout carries over from earlier ones, such as the model of the turn. */
export async function* carryValues(
  rows: AsyncIterable<Row>,
  layout: Layout | undefined,
): AsyncGenerator<Row> {
  const { carried } = layout ?? {};
  if (!carried) {
    yield* rows;
    return;
  }
  const values = new Map<string, string>();
  for await (const row of rows) {
    const cells = cellsOf(row.columns)(row.cells);
    for (const { type, column } of carried)
      if (cells('type') === type && cells(column) !== '') values.set(`${type}.${column}`, cells(column));
    yield { ...row, columns: [...row.columns, ...values.keys()], cells: [...row.cells, ...values.values()] };
  }
}
