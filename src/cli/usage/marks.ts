/** Bars and sparklines made of block characters. Lengths are computed with integers. */

const EIGHTHS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];
const LEVELS = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/** Nothing at all, as opposed to little. */
const NONE = '·';

/** A bar of at most `width` characters. What is more than 0 is at least an eighth of a character. */
export function bar(value: bigint, max: bigint, width: number): string {
  if (value <= 0n || max <= 0n) return '';
  const all = BigInt(width) * 8n;
  const eighths = value >= max ? all : (value * all) / max || 1n;
  return '█'.repeat(Number(eighths / 8n)) + (EIGHTHS[Number(eighths % 8n)] ?? '');
}

/** One character for each value. The highest one is full. */
export function sparkline(values: readonly bigint[]): string {
  const max = values.reduce((most, value) => (value > most ? value : most), 0n);
  return values
    .map((value) => {
      if (value <= 0n) return NONE;
      // 1 to 8 for values up to the highest.
      const level = (value * 8n + max - 1n) / max;
      return LEVELS[Number(level) - 1] ?? '';
    })
    .join('');
}
