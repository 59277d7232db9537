/** Finds the header of a CSV file, which may be below the title of a report. */

import { commonWidth } from './separator.ts';
import { parseTimestamp } from './timestamp.ts';
import { parseCount } from './values.ts';

/** Where the header is, as an index into the rows; or why there is none. */
export type FoundHeader = { readonly index: number } | { readonly reason: string };

/**
 * Finds the header among the first rows: the first row with names in as many columns as most rows fill, or else
 * in more than half of them. Names are neither numbers nor times. Narrower rows above it are titles.
 */
export function findHeader(rows: readonly (readonly string[])[]): FoundHeader {
  const widths = rows.map(lastFilled);
  const { width: common, lines } = commonWidth(widths);
  const [first = 1] = widths;
  // The first row is a title only if more rows are wider than are like it.
  const width = first > 1 && lines <= widths.filter((other) => other === first).length ? first : common;
  const filled = rows.map((cells) => cells.filter((cell) => cell.trim() !== '').length);
  const firstOf = (least: number): number => filled.findIndex((count) => count >= least);
  const isHeader = (index: number): boolean => rows[index]?.some(isValue) === false;
  for (const index of [firstOf(width), firstOf(Math.floor(width / 2) + 1)])
    if (isHeader(index)) return { index };
  const value = rows[firstOf(1)]?.find(isValue) ?? '';
  const found =
    value === '' ? 'no line at its beginning has them' : `${JSON.stringify(value.trim())} is none`;
  return {
    reason:
      `the file has no header with the names of the columns: ${found}. ` +
      'Put a line with the name of each column above the rows',
  };
}

/** The number of cells up to the last one that is filled. */
function lastFilled(cells: readonly string[]): number {
  return cells.findLastIndex((cell) => cell.trim() !== '') + 1;
}

/** Names of columns are neither numbers nor times. */
function isValue(cell: string): boolean {
  const text = cell.trim();
  return (
    /\d/.test(text) &&
    (typeof parseCount(text) === 'bigint' ||
      /^[+-]?\d+[.,]\d+$/.test(text) ||
      parseTimestamp(text) !== undefined)
  );
}
