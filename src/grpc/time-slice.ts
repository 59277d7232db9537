/** Long work in slices, so that the event loop serves other calls in between. */

const SLICE_MS = 5;

/** The time since the work began or went on. */
export class TimeSlice {
  #startedAtMs = performance.now();

  /** Whether it is time to let other work run; the next slice begins with the next question. */
  isOver(): boolean {
    const now = performance.now();
    if (now - this.#startedAtMs < SLICE_MS) return false;
    this.#startedAtMs = Infinity;
    return true;
  }

  /** The work goes on. */
  restart(): void {
    this.#startedAtMs = performance.now();
  }
}
