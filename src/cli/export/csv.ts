/** Charges as CSV (RFC 4180): one line for each, every value exact. */

import { stringify } from 'csv-stringify/sync';
import { cellText } from '../cell-text.ts';
import { CHARGE_COLUMNS } from './charge-columns.ts';
import { checkColumns, type Item } from './item.ts';
import type { LineFormat } from './line-format.ts';

/** The first line. An import knows the file by it. */
export const CSV_HEADER: string = CHARGE_COLUMNS.map(({ name }) => name).join(',');

export function csvFormat(): LineFormat<Item> {
  return {
    head: `${CSV_HEADER}\n`,
    lines: (items) =>
      csvLines(
        items.map((item) => {
          checkColumns(item);
          return CHARGE_COLUMNS.map(({ kind, value }) => cellText(kind, value(item)));
        }),
      ),
  };
}

/** Records as lines. A carriage return is quoted, too: readers may take it for the end of a line. */
export function csvLines(records: readonly (readonly string[])[]): string {
  return stringify(records as string[][], { quoted_match: /\r/ });
}
