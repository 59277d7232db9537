/** How often callers may take back what they asked for. */

/** As nghttp2, which node:http2 is made of, allows it by default. */
const RESETS_MAX = 1000;
const RESETS_PER_SECOND = 33;

/**
 * Opening streams and resetting them at once costs a client next to nothing and the server a call
 * each (CVE-2023-44487). A connection may do it so often in a row, and then at this pace.
 */
export class ResetBudget {
  #left = RESETS_MAX;
  #filledAtMs = performance.now();

  /** A stream was reset; false: one too many. */
  spend(): boolean {
    if (this.#left < 1) {
      const nowMs = performance.now();
      this.#left = Math.min(RESETS_MAX, ((nowMs - this.#filledAtMs) / 1000) * RESETS_PER_SECOND);
      this.#filledAtMs = nowMs;
    }
    this.#left--;
    return this.#left >= 0;
  }
}
