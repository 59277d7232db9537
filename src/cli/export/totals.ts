/** How far an export is. */

import { group } from '../progress.ts';
import { timeText } from '../time.ts';
import type { Item } from './item.ts';
import type { Place } from './sink.ts';

/** Counts what is written, with what an earlier run has written. */
export class ExportTotals {
  charges: number;
  bytes: number;
  /** Of `charges`, those that an earlier run has written. */
  readonly before: number;
  #last: string | undefined;
  readonly #startedAt = Date.now();

  constructor({ charges, bytes }: Place) {
    this.charges = charges;
    this.before = charges;
    this.bytes = bytes;
  }

  get elapsedMs(): number {
    return Date.now() - this.#startedAt;
  }

  /** Charges that are written, or about to be. */
  add(items: readonly Item[]): void {
    this.charges += items.length;
    const last = items.at(-1);
    if (last) this.#last = timeText(last.charge.usageTime);
  }

  /** One line for the progress display. */
  toString(): string {
    const upTo = this.#last === undefined ? '' : `, usage up to ${this.#last}`;
    return `exported ${group(this.charges)} charges, ${sizeText(this.bytes)}${upTo}`;
  }
}

/** Bytes for people: `12.3 MB`. */
export function sizeText(bytes: number): string {
  const units = ['bytes', 'kB', 'MB', 'GB', 'TB'];
  const power = Math.min(Math.floor(Math.log10(Math.max(bytes, 1)) / 3), units.length - 1);
  return power === 0 ? `${bytes} bytes` : `${(bytes / 1000 ** power).toFixed(1)} ${units[power]}`;
}
