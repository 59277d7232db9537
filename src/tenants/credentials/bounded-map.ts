/** A map of limited size: what was not used for longest makes room. */

export class BoundedMap<Key, Value> {
  readonly #sizeMax: number;
  readonly #map = new Map<Key, Value>();

  constructor(sizeMax: number) {
    this.#sizeMax = sizeMax;
  }

  /** Counts as a use. */
  get(key: Key): Value | undefined {
    const value = this.#map.get(key);
    if (value === undefined) return undefined;
    this.#map.delete(key);
    this.#map.set(key, value);
    return value;
  }

  /** Does not count as a use. */
  peek(key: Key): Value | undefined {
    return this.#map.get(key);
  }

  set(key: Key, value: Value): void {
    this.#map.delete(key);
    if (this.#map.size >= this.#sizeMax) {
      for (const oldest of this.#map.keys()) {
        this.#map.delete(oldest);
        break;
      }
    }
    this.#map.set(key, value);
  }

  delete(key: Key): void {
    this.#map.delete(key);
  }

  clear(): void {
    this.#map.clear();
  }

  entries(): Iterable<[Key, Value]> {
    return this.#map.entries();
  }

  get size(): number {
    return this.#map.size;
  }
}
