/** A table for people. */

import { safeName } from '../usage/names.ts';

/**
 * Columns of equal width under their titles; the last one is as long as its text. Names come from callers and may hold
 * anything: no cell can change the terminal, or look like another row.
 */
export function tableText(titles: readonly string[], found: readonly (readonly string[])[]): string {
  const rows = found.map((row) => row.map(safeName));
  const widths = titles.map((title, column) =>
    rows.reduce((width, row) => Math.max(width, row[column]?.length ?? 0), title.length),
  );
  return [titles, ...rows]
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
