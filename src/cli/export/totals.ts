/** How far an export is. */

import type { Timestamp } from '../../../generated/google/protobuf/timestamp.ts';
import { group } from '../progress.ts';
import { timeText } from '../time.ts';
import type { Place } from './sink.ts';

/** Counts what is written, with what an earlier run has written. */
export class ExportTotals {
  /** Charges, or rows of sums. */
  count: number;
  bytes: number;
  /** Of `count`, those that an earlier run has written. */
  readonly before: number;
  readonly #noun: string;
  #last: string | undefined;
  readonly #startedAt = Date.now();

  /** `noun`: what is counted, for people. */
  constructor({ charges, bytes }: Place, noun: string) {
    this.count = charges;
    this.before = charges;
    this.bytes = bytes;
    this.#noun = noun;
  }

  get elapsedMs(): number {
    return Date.now() - this.#startedAt;
  }

  /** So many more are written, or about to be. `last`: the time of the last one. */
  add(count: number, last: Timestamp | undefined): void {
    this.count += count;
    if (last) this.#last = timeText(last);
  }

  /** One line for the progress display. */
  toString(): string {
    const upTo = this.#last === undefined ? '' : `, usage up to ${this.#last}`;
    return `exported ${group(this.count)} ${this.#noun}, ${sizeText(this.bytes)}${upTo}`;
  }
}

/** Bytes for people: `12.3 MB`. */
export function sizeText(bytes: number): string {
  const units = ['bytes', 'kB', 'MB', 'GB', 'TB'];
  const power = Math.min(Math.floor(Math.log10(Math.max(bytes, 1)) / 3), units.length - 1);
  return power === 0 ? `${bytes} bytes` : `${(bytes / 1000 ** power).toFixed(1)} ${units[power]}`;
}
