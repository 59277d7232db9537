/** Items of a record stream that were read and that the recorder does not have yet, in their order. */

import type { Item } from './items.ts';

/** Items that go on together, and what they count for in the window. */
export interface TakenItems {
  readonly items: readonly Item[];
  readonly bytes: number;
}

/** One for each stream. The window limits what it holds. */
export class ArrivedItems {
  readonly #items: Item[] = [];
  readonly #bytes: number[] = [];

  get count(): number {
    return this.#items.length;
  }

  add(item: Item, bytes: number): void {
    this.#items.push(item);
    this.#bytes.push(bytes);
  }

  /** Removes the first items, or all. */
  take(count = this.count): TakenItems {
    const bytes = this.#bytes.splice(0, count).reduce((sum, each) => sum + each, 0);
    return { items: this.#items.splice(0, count), bytes };
  }
}
