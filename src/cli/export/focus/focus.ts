/** Charges as the dataset Cost and Usage of FOCUS 1.4, in CSV. docs/export.md says what stands in each column. */

import { csvLines } from '../csv.ts';
import type { Item } from '../item.ts';
import type { LineFormat } from '../line-format.ts';
import { FOCUS_COLUMNS } from './focus-columns.ts';
import { focusRows } from './focus-row.ts';
import { readLabels } from './labels.ts';

export function focusFormat(): LineFormat<Item> {
  const labelOf = readLabels();
  return {
    head: csvLines([FOCUS_COLUMNS.map(([name]) => name)]),
    lines: (items) =>
      csvLines(
        items
          .flatMap((item) => focusRows(item, labelOf))
          .map((row) => FOCUS_COLUMNS.map(([, text]) => text(row))),
      ),
  };
}
