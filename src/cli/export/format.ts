/** The formats of an export. */

import { csvFormat } from './csv.ts';
import { ndjsonFormat } from './ndjson.ts';
import { focusFormat } from './focus/focus.ts';
import type { Item } from './item.ts';
import type { LineFormat } from './line-format.ts';

export type FormatName = 'csv' | 'ndjson' | 'parquet' | 'focus';

/** Names as `--format` takes them, each with the endings of its files. Longer endings come first. */
const ENDINGS: readonly (readonly [string, FormatName])[] = [
  ['.focus.csv', 'focus'],
  ['.csv', 'csv'],
  ['.ndjson', 'ndjson'],
  ['.jsonl', 'ndjson'],
  ['.parquet', 'parquet'],
];

export const FORMAT_NAMES: readonly FormatName[] = ['csv', 'ndjson', 'parquet', 'focus'];

/** The format of a file by its name; undefined: the name does not say it. */
export function formatOfFile(name: string): FormatName | undefined {
  return ENDINGS.find(([ending]) => name.toLowerCase().endsWith(ending))?.[1];
}

/** Opens a format of lines for charges. */
export function lineFormat(name: Exclude<FormatName, 'parquet'>): LineFormat<Item> {
  switch (name) {
    case 'csv':
      return csvFormat();
    case 'ndjson':
      return ndjsonFormat();
    case 'focus':
      return focusFormat();
  }
}
