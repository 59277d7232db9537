/** Names as a terminal may show them. They come from callers and may hold anything. */

import widthOf from 'fast-string-truncated-width';

/** Characters that move the cursor, break the line, turn the direction of the text, or cannot be seen. */
const UNSAFE =
  /[\p{Cc}\p{Zl}\p{Zp}\p{Co}\p{Cs}\u00ad\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff]/gu;

/** A name that takes one line and cannot change the terminal. */
export function safeName(text: string): string {
  return text.replace(UNSAFE, '\ufffd');
}

/** How many columns of a terminal a text takes. */
export function columnsOf(text: string): number {
  return widthOf(text).width;
}

const GRAPHEMES = new Intl.Segmenter('en', { granularity: 'grapheme' });

/** The text with blanks after it; a text that is too wide is cut and ends with `…`. */
export function fit(text: string, width: number): string {
  const used = columnsOf(text);
  if (used <= width) return text + ' '.repeat(width - used);
  let shown = '';
  let left = width - 1;
  for (const { segment } of GRAPHEMES.segment(text)) {
    left -= columnsOf(segment);
    if (left < 0) break;
    shown += segment;
  }
  shown += '…';
  return shown + ' '.repeat(Math.max(width - columnsOf(shown), 0));
}
