/** Counts for people. */

import { group } from './progress.ts';

const SHOWN_NAMES = 5;
/** So many are counted one by one. A file may have a name of its own in each row. */
const NAMES_MAX = 10_000;

/** How often each name occurs. */
export class NameCounts {
  readonly #counts = new Map<string, number>();

  add(name: string): void {
    const known = this.#counts.get(name);
    if (known !== undefined || this.#counts.size < NAMES_MAX) this.#counts.set(name, (known ?? 0) + 1);
  }

  get size(): number {
    return this.#counts.size;
  }

  /** The five names that occur most often, the most frequent first. */
  get most(): [string, number][] {
    return [...this.#counts].sort(([, a], [, b]) => b - a).slice(0, SHOWN_NAMES);
  }

  /** `gpt-5.2 (12), gpt-4o (3) and 2 more`. */
  toString(): string {
    const text = this.most.map(([name, count]) => `${name} (${group(count)})`).join(', ');
    return this.size > SHOWN_NAMES ? `${text} and ${group(this.size - SHOWN_NAMES)} more` : text;
  }
}

/** A name, its count, and what a person should know about it. */
export type Count = readonly [name: string, count: number | bigint, note?: string];

/** Counts as lines of text, one below the other. */
export function countLines(counts: readonly Count[], nameWidth: number): string[] {
  const width = Math.max(...counts.map(([, count]) => group(count).length));
  return counts.map(([name, count, note = '']) =>
    `  ${name.padEnd(nameWidth)} ${group(count).padStart(width)}  ${note}`.trimEnd(),
  );
}

/** The count, or nothing if it is 0. */
export function atLeastOne(...count: Count): Count[] {
  return count[1] > 0 ? [count] : [];
}
