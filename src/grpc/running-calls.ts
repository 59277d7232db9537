/** Calls in the order in which they began, so that one timer serves the time limit of all. */

import type { Failure } from '../errors/service-error.ts';

/** What is kept about each call: its neighbours, so that leaving costs nothing. */
export interface RunningCall {
  /** When the call began, by `performance.now()`. */
  readonly startedAtMs: number;
  previousCall: RunningCall | undefined;
  nextCall: RunningCall | undefined;
  /** Answer the caller now, whatever the work in hand; the call has left already. */
  giveUp(failure: Failure): void;
}

const TIME_IS_OVER: Failure = { kind: 'deadline_exceeded' };

/** How exactly the limit is kept: at most this part of it late. */
const TICKS_PER_LIMIT = 20;

/**
 * A time limit that is the same for every call: the oldest call is always the next one to reach it,
 * and a list with one timer takes the place of a timer per call.
 */
export class RunningCalls {
  readonly #limitMs: number;
  readonly #timer: NodeJS.Timeout;
  #oldest: RunningCall | undefined;
  #newest: RunningCall | undefined;

  constructor(limitMs: number) {
    this.#limitMs = limitMs;
    this.#timer = setInterval(() => this.#expire(), Math.max(1, limitMs / TICKS_PER_LIMIT));
    this.#timer.unref();
  }

  /** The call begins. */
  enter(call: RunningCall): void {
    call.previousCall = this.#newest;
    if (this.#newest === undefined) this.#oldest = call;
    else this.#newest.nextCall = call;
    this.#newest = call;
  }

  /** The call ended; once for each call that entered and was not given up. */
  leave(call: RunningCall): void {
    const { previousCall, nextCall } = call;
    if (previousCall === undefined) this.#oldest = nextCall;
    else previousCall.nextCall = nextCall;
    if (nextCall === undefined) this.#newest = previousCall;
    else nextCall.previousCall = previousCall;
    call.previousCall = undefined;
    call.nextCall = undefined;
  }

  /** Gives up every call that is left, and stops the timer. */
  close(failure: Failure): void {
    clearInterval(this.#timer);
    while (this.#oldest !== undefined) this.#giveUpOldest(failure);
  }

  #expire(): void {
    const before = performance.now() - this.#limitMs;
    while (this.#oldest !== undefined && this.#oldest.startedAtMs <= before) {
      this.#giveUpOldest(TIME_IS_OVER);
    }
  }

  #giveUpOldest(failure: Failure): void {
    const call = this.#oldest;
    if (call === undefined) return;
    this.leave(call);
    call.giveUp(failure);
  }
}
