/** Calls in the order in which they began, so that one timer serves the time limit of all. */

import type { Failure } from '../domain/errors.ts';

/** What a queue keeps about each call: its neighbours, so that leaving costs nothing. */
export interface QueuedCall {
  /** When the call began, by `performance.now()`. */
  readonly startedAtMs: number;
  queuePrevious: QueuedCall | undefined;
  queueNext: QueuedCall | undefined;
  /** Answer the caller now, whatever the work in hand; the call has left the queue already. */
  giveUp(failure: Failure): void;
}

const TIME_IS_OVER: Failure = { kind: 'deadline_exceeded' };

/** How exactly the limit is kept: at most this part of it late. */
const TICKS_PER_LIMIT = 20;

/**
 * A time limit that is the same for every call: the oldest call is always the next one to reach it,
 * and a list with one timer takes the place of a timer per call.
 */
export class CallQueue {
  readonly #limitMs: number;
  readonly #timer: NodeJS.Timeout;
  #oldest: QueuedCall | undefined;
  #newest: QueuedCall | undefined;

  constructor(limitMs: number) {
    this.#limitMs = limitMs;
    this.#timer = setInterval(() => this.#expire(), Math.max(1, limitMs / TICKS_PER_LIMIT));
    this.#timer.unref();
  }

  /** The call begins. */
  enter(call: QueuedCall): void {
    call.queuePrevious = this.#newest;
    if (this.#newest === undefined) this.#oldest = call;
    else this.#newest.queueNext = call;
    this.#newest = call;
  }

  /** The call ended; once for each call that entered and was not given up. */
  leave(call: QueuedCall): void {
    const { queuePrevious, queueNext } = call;
    if (queuePrevious === undefined) this.#oldest = queueNext;
    else queuePrevious.queueNext = queueNext;
    if (queueNext === undefined) this.#newest = queuePrevious;
    else queueNext.queuePrevious = queuePrevious;
    call.queuePrevious = undefined;
    call.queueNext = undefined;
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
