/** What all RecordCharges streams of a server have read and not answered: limited, and shared fairly. */

/** Most bytes of all streams together, and of one stream. One item may exceed either limit. */
const WINDOW_BYTES_MAX = 16 * 1024 * 1024;
const STREAM_BYTES_MAX = 1024 * 1024;

/**
 * A stream may read on while it holds less than its share, and all together less than `bytesMax`. One
 * that holds nothing may always read an item, so that every stream makes progress.
 *
 * The share is an equal part for each stream that holds anything: idle streams take nothing from the
 * others, and when one wakes up, those above their new share wait.
 */
export class RecordWindow {
  readonly #bytesMax: number;
  readonly #streamBytesMax: number;
  readonly #waiting = new Set<RecordShare>();
  #bytes = 0;
  #activeStreams = 0;
  #shareMax: number;

  /** `bytesMax`: of all streams; `streamBytesMax`: of one, however few there are. Both at least 1. */
  constructor(bytesMax = WINDOW_BYTES_MAX, streamBytesMax = STREAM_BYTES_MAX) {
    this.#bytesMax = bytesMax;
    this.#streamBytesMax = streamBytesMax;
    this.#shareMax = Math.min(bytesMax, streamBytesMax);
  }

  /** Bytes that all streams hold. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The share of a new stream; `onRoom` is called when it had to wait and may read again. */
  share(onRoom: () => void): RecordShare {
    return new RecordShare(this, onRoom);
  }

  /** For shares: whether one that holds so many bytes may read another item. */
  admits(bytes: number): boolean {
    return bytes === 0 || (bytes < this.#shareMax && this.#bytes < this.#bytesMax);
  }

  /** For shares: `share` is told as soon as it is admitted. */
  wait(share: RecordShare): void {
    this.#waiting.add(share);
  }

  /** For shares: a stream that held `before` bytes now holds `after`. */
  changed(share: RecordShare, before: number, after: number): void {
    const wasFull = this.#bytes >= this.#bytesMax;
    const shareMaxBefore = this.#shareMax;
    this.#bytes += after - before;
    if ((before === 0) !== (after === 0)) {
      this.#activeStreams += after === 0 ? -1 : 1;
      const part = Math.floor(this.#bytesMax / Math.max(1, this.#activeStreams));
      this.#shareMax = Math.min(part, this.#streamBytesMax);
    }
    // Only these two make room for the others; who waited first is told first.
    if ((wasFull && this.#bytes < this.#bytesMax) || this.#shareMax > shareMaxBefore) {
      for (const each of this.#waiting) this.#tell(each);
    } else if (after < before && this.#waiting.has(share)) {
      this.#tell(share);
    }
  }

  /** Reading begins in a later turn of the event loop, so a share that is told does not wait again here. */
  #tell(share: RecordShare): void {
    if (!this.admits(share.bytes)) return;
    this.#waiting.delete(share);
    share.onRoom();
  }
}

/** What one stream holds. It ends by releasing everything. */
export class RecordShare {
  /** Called when the stream had to wait and may read again. */
  readonly onRoom: () => void;
  readonly #window: RecordWindow;
  #bytes = 0;

  constructor(window: RecordWindow, onRoom: () => void) {
    this.onRoom = onRoom;
    this.#window = window;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Whether the stream may read on; if not, `onRoom` is called once it may. */
  mayRead(): boolean {
    const may = this.#window.admits(this.#bytes);
    if (!may) this.#window.wait(this);
    return may;
  }

  /** The stream has read an item of so many bytes. An item that was under way during a pause counts too. */
  acquire(bytes: number): void {
    this.#window.changed(this, this.#bytes, (this.#bytes += bytes));
  }

  /** Items of so many bytes are answered, or never will be. */
  release(bytes: number): void {
    if (bytes > 0) this.#window.changed(this, this.#bytes, (this.#bytes -= bytes));
  }
}
