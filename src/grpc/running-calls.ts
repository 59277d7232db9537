/** Ends unary calls that take longer than the server allows. */

import { deadlineExceeded, type Failure } from '../errors/failure.ts';

/** A unary call that is being worked on. */
export interface RunningCall {
  /** By `performance.now()`. */
  readonly startedAtMs: number;
  /** Answers the caller now, whatever the call is doing. */
  giveUp(failure: Failure): void;
}

/** The time limit is exceeded by at most this part of it. */
const CHECKS_PER_LIMIT = 20;

/** One timer for all calls: the limit is the same for each, and a Set keeps them in the order of their start. */
export class RunningCalls {
  readonly #calls = new Set<RunningCall>();
  readonly #timer: NodeJS.Timeout;

  constructor(limitMs: number) {
    const check = (): void => this.#giveUp(performance.now() - limitMs, deadlineExceeded());
    this.#timer = setInterval(check, Math.max(1, limitMs / CHECKS_PER_LIMIT));
    this.#timer.unref();
  }

  add(call: RunningCall): void {
    this.#calls.add(call);
  }

  delete(call: RunningCall): void {
    this.#calls.delete(call);
  }

  /** Gives up every call that is left, and stops the timer. */
  close(failure: Failure): void {
    clearInterval(this.#timer);
    this.#giveUp(Infinity, failure);
  }

  #giveUp(startedBeforeMs: number, failure: Failure): void {
    for (const call of this.#calls) {
      if (call.startedAtMs > startedBeforeMs) return;
      this.#calls.delete(call);
      call.giveUp(failure);
    }
  }
}
