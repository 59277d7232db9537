/** What all RecordCharges streams of a server have in hand together: bounded, and shared fairly. */

/**
 * The window of all record streams. A stream may read on while it has less in hand than its share,
 * and all together have less than `itemsMax`; one that has nothing in hand may always read, so that
 * every stream gets on. Hence at most `itemsMax` items, and one more for each stream, are in hand.
 *
 * The share is an equal part of the window for each stream that has something in hand: streams that
 * are idle take nothing from the others, and one that wakes up waits for those above their new share.
 */
export class RecordWindow {
  readonly #itemsMax: number;
  readonly #streamItemsMax: number;
  readonly #waiting = new Set<RecordShare>();
  #items = 0;
  #activeStreams = 0;
  #shareMax: number;

  /** `itemsMax`: of all streams; `streamItemsMax`: of one, however few there are. Both at least 1. */
  constructor(itemsMax: number, streamItemsMax: number) {
    this.#itemsMax = itemsMax;
    this.#streamItemsMax = streamItemsMax;
    this.#shareMax = Math.min(itemsMax, streamItemsMax);
  }

  /** Items of all streams that were read and not given back. */
  get items(): number {
    return this.#items;
  }

  /** The share of a new stream; `onRoom` is told when it had to wait and may read again. */
  share(onRoom: () => void): RecordShare {
    return new RecordShare(this, onRoom);
  }

  /** For shares: whether one with so many items may get another, or else is to wait. */
  admits(items: number): boolean {
    return items === 0 || (items < this.#shareMax && this.#items < this.#itemsMax);
  }

  /** For shares: `share` is told as soon as it is admitted. */
  wait(share: RecordShare): void {
    this.#waiting.add(share);
  }

  /** For shares: a stream that had `before` items in hand now has `after`. */
  changed(share: RecordShare, before: number, after: number): void {
    const wasFull = this.#items >= this.#itemsMax;
    const shareMaxBefore = this.#shareMax;
    this.#items += after - before;
    if ((before === 0) !== (after === 0)) {
      this.#activeStreams += after === 0 ? -1 : 1;
      const part = Math.floor(this.#itemsMax / Math.max(1, this.#activeStreams));
      this.#shareMax = Math.min(part, this.#streamItemsMax);
    }
    // Only these two make room for the others; the first to wait is the first to be told.
    if ((wasFull && this.#items < this.#itemsMax) || this.#shareMax > shareMaxBefore) {
      for (const each of this.#waiting) this.#tell(each);
    } else if (after < before && this.#waiting.has(share)) {
      this.#tell(share);
    }
  }

  /** Reading begins in a later turn, so nothing that is told here waits again meanwhile. */
  #tell(share: RecordShare): void {
    if (!this.admits(share.items)) return;
    this.#waiting.delete(share);
    share.onRoom();
  }
}

/** What one stream has in hand. It ends by giving everything back. */
export class RecordShare {
  /** Told when the stream had to wait and may read again. */
  readonly onRoom: () => void;
  readonly #window: RecordWindow;
  #items = 0;

  constructor(window: RecordWindow, onRoom: () => void) {
    this.#window = window;
    this.onRoom = onRoom;
  }

  /** Items that the stream has read and not given back. */
  get items(): number {
    return this.#items;
  }

  /** Whether the stream may read on; where not, `onRoom` is told once it may. */
  mayRead(): boolean {
    const may = this.#window.admits(this.#items);
    if (!may) this.#window.wait(this);
    return may;
  }

  /** The stream has read an item, also where it came in behind a pause. */
  take(): void {
    this.#window.changed(this, this.#items, ++this.#items);
  }

  /** So many items are answered, or will never be; 0 and more, up to `items`. */
  giveBack(items: number): void {
    if (items > 0) this.#window.changed(this, this.#items, (this.#items -= items));
  }
}
