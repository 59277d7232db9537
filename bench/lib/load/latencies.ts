/** Latencies of a round. Every one is kept: sorting a million numbers is cheap, and a histogram would round. */

/** Collects milliseconds. */
export class Latencies {
  #values = new Float64Array(1 << 16);
  #count = 0;

  add(milliseconds: number): void {
    if (this.#count === this.#values.length) {
      const grown = new Float64Array(this.#values.length * 2);
      grown.set(this.#values);
      this.#values = grown;
    }
    this.#values[this.#count++] = milliseconds;
  }

  /** Percentiles by nearest rank, and the longest; nothing if nothing was collected. */
  summary(): { readonly p50Ms?: number; readonly p99Ms?: number; readonly maxMs?: number } {
    if (this.#count === 0) return {};
    const sorted = this.#values.subarray(0, this.#count).sort();
    const at = (share: number): number => sorted[Math.ceil(share * sorted.length) - 1] ?? 0;
    return { p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) };
  }
}
