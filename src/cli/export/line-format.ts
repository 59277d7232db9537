/** What the formats of lines have in common. */

import type { Item } from './item.ts';

/** A format whose files are lines, so that an interrupted export can go on. */
export interface LineFormat {
  /** What stands before the first charge. */
  readonly head: string;
  /** The lines of some charges. */
  lines(items: readonly Item[]): string;
}
