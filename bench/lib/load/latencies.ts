/** Latencies of a round, every one kept: sorting a million numbers takes less than a histogram's error is worth. */

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

  /** Percentiles by nearest rank; undefined where nothing was collected. */
  summary(): { readonly p50Ms: number; readonly p99Ms: number; readonly maxMs: number } | undefined {
    if (this.#count === 0) return undefined;
    const sorted = this.#values.subarray(0, this.#count).sort();
    const at = (share: number): number => sorted[Math.ceil(share * sorted.length) - 1] ?? 0;
    return { p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) };
  }
}
