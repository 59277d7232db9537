/** Finds the character between the cells of a CSV file. */

/** The separators that files have, by the name that people know. */
const NAMES: ReadonlyMap<string, string> = new Map([
  [',', 'comma'],
  [';', 'semicolon'],
  ['\t', 'tab'],
  ['|', 'pipe'],
]);

/** The name of a separator for messages. */
export function nameOfSeparator(separator: string): string {
  return NAMES.get(separator) ?? JSON.stringify(separator);
}

/** The separator in the first line that Excel writes for itself: `sep=;`. Undefined: the line is no such line. */
export function separatorLine(text: string): string | undefined {
  return /^"?sep=([^"\r\n])"?$/i.exec(text.trimEnd())?.[1] ?? (/^sep=\t$/i.test(text) ? '\t' : undefined);
}

/**
 * The separator with which most lines have the same number of cells, at least two. Of two that are equally
 * good, it is the one that makes more cells. A file without any of them has one column, and the comma.
 * `preferred` is taken if it makes any cells.
 */
export function findSeparator(text: string, preferred?: string): string {
  if (preferred !== undefined && commonWidth(widths(text, preferred)).width > 1) return preferred;
  let best = { separator: ',', lines: 0, width: 1 };
  for (const separator of NAMES.keys()) {
    const { width, lines } = commonWidth(widths(text, separator));
    if (width > 1 && (lines > best.lines || (lines === best.lines && width > best.width)))
      best = { separator, lines, width };
  }
  return best.separator;
}

/** The number of cells that most rows have, at least two if any row has two; the larger one of two. */
export function commonWidth(widthsOfRows: readonly number[]): { width: number; lines: number } {
  const counts = new Map<number, number>();
  for (const width of widthsOfRows) counts.set(width, (counts.get(width) ?? 0) + 1);
  let best = { width: 1, lines: 0 };
  for (const [width, lines] of counts) {
    if (width > 1 && (lines > best.lines || (lines === best.lines && width > best.width)))
      best = { width, lines };
  }
  return best;
}

/** The number of cells of each row. Separators and line ends in quotes do not count. */
function widths(text: string, separator: string): number[] {
  const plain = text.replace(/"(?:[^"]|"")*"/g, '');
  return plain
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => line.split(separator).length);
}
