/** How often callers may take back what they asked for. */

/** As nghttp2, which node:http2 is made of, allows it by default. */
const RESETS_MAX = 1000;
const RESETS_PER_SECOND = 33;

/**
 * Opening streams and resetting them at once costs a client next to nothing and the server a call
 * each (CVE-2023-44487). A connection may do it 1000 times in a row, whatever its age, and gets 33 of
 * them back with every second.
 */
export class ResetBudget {
  #left = RESETS_MAX;
  #filledAtMs = performance.now();

  /** A stream was reset; false: one too many. */
  spend(): boolean {
    const nowMs = performance.now();
    const gained = ((nowMs - this.#filledAtMs) / 1000) * RESETS_PER_SECOND;
    this.#left = Math.min(RESETS_MAX, this.#left + gained);
    this.#filledAtMs = nowMs;
    if (this.#left < 1) return false;
    this.#left--;
    return true;
  }
}
