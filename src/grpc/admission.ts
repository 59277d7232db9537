/** Whether the server takes work on: the drain and the global slots of unary calls. */

import type { Failure } from '../errors/service-error.ts';
import type { HeldBytes } from './held-bytes.ts';
import { prepareFailure } from './status.ts';

/** Counts unary calls from admission until their own work is done, whatever became of the caller. */
export class Admission {
  readonly #inFlightCallsMax: number;
  readonly #heldBytes: HeldBytes;
  readonly #overloaded: Failure;
  readonly #full: Failure;
  readonly #shuttingDown: Failure;
  #callsInFlight = 0;
  #draining = false;
  #hurries = false;
  #whenIdle: (() => void) | undefined;

  constructor(inFlightCallsMax: number, heldBytes: HeldBytes, retryAfterMs: number) {
    this.#inFlightCallsMax = inFlightCallsMax;
    this.#heldBytes = heldBytes;
    this.#overloaded = prepareFailure({ kind: 'overloaded', limit: 'in_flight_calls', retryAfterMs });
    this.#full = prepareFailure({ kind: 'overloaded', limit: 'held_bytes', retryAfterMs });
    this.#shuttingDown = prepareFailure({ kind: 'shutting_down', retryAfterMs });
  }

  /** Unary calls whose work is not done yet. */
  get callsInFlight(): number {
    return this.#callsInFlight;
  }

  /** Why nothing new is taken on, or undefined. */
  get refusal(): Failure | undefined {
    return this.#draining ? this.#shuttingDown : undefined;
  }

  /** The failure that ends whatever the drain finds open. */
  get shuttingDown(): Failure {
    return this.#shuttingDown;
  }

  /** Whether requests may go on arriving; where not, they are run as they are, and so refused. */
  get awaitsRequests(): boolean {
    return !this.#hurries && !this.#heldBytes.full;
  }

  /** Takes a slot; or says why there is none, and then nothing is to be given back. */
  take(): Failure | undefined {
    if (this.#callsInFlight >= this.#inFlightCallsMax) return this.#overloaded;
    if (this.#heldBytes.full) return this.#full;
    this.#callsInFlight++;
    return undefined;
  }

  /** Gives a slot back. */
  release(): void {
    this.#callsInFlight--;
    if (this.#callsInFlight === 0) this.#whenIdle?.();
  }

  /** From now on everything new is refused; resolves once no call is in flight. */
  close(): Promise<void> {
    this.#draining = true;
    if (this.#callsInFlight === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#whenIdle = resolve;
    });
  }

  /** After `close()`: nor is the rest of any request waited for. */
  hurry(): void {
    this.#hurries = true;
  }
}
