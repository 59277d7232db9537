/** Which unary calls the server accepts: none while it drains, and no more than it can hold. */

import { type Failure, overloaded, shuttingDown } from '../errors/failure.ts';
import type { RpcLimits } from './limits.ts';
import { prepareFailure } from './status.ts';
import { ResponseBytes } from './response-bytes.ts';

type AdmissionLimits = Pick<
  RpcLimits,
  'inFlightCallsMax' | 'requestBytesMax' | 'responseBytesMax' | 'retryAfterMs'
>;

/** Counts unary calls from their acceptance until their work is done, even if the caller leaves earlier. */
export class Admission {
  /** The failure of everything that is refused or ended because the server drains. */
  readonly shuttingDown: Failure;
  /** The failure of requests that take too many bytes. */
  readonly tooManyBytes: Failure;
  /** Responses that were handed to the transport and that clients have not read yet. */
  readonly responses: ResponseBytes;
  readonly #limits: AdmissionLimits;
  readonly #tooManyCalls: Failure;
  #callsInFlight = 0;
  #requestBytes = 0;
  #draining = false;
  #whenIdle: (() => void) | undefined;

  constructor(limits: AdmissionLimits) {
    const { inFlightCallsMax, requestBytesMax, retryAfterMs } = limits;
    this.#limits = limits;
    const calls = `${inFlightCallsMax.toLocaleString('en')} calls in flight`;
    this.#tooManyCalls = prepareFailure(overloaded('in_flight_calls', calls, retryAfterMs));
    const bytes = `${requestBytesMax.toLocaleString('en')} bytes of requests in progress`;
    this.tooManyBytes = prepareFailure(overloaded('request_bytes', bytes, retryAfterMs));
    this.shuttingDown = prepareFailure(shuttingDown(retryAfterMs));
    this.responses = new ResponseBytes(limits.responseBytesMax, retryAfterMs);
  }

  get callsInFlight(): number {
    return this.#callsInFlight;
  }

  get requestBytes(): number {
    return this.#requestBytes;
  }

  /** Why no new call is accepted at all, or undefined. */
  get drainFailure(): Failure | undefined {
    return this.#draining ? this.shuttingDown : undefined;
  }

  /** Accepts a call with a request of so many bytes, or says why not. */
  acquire(requestBytes: number): Failure | undefined {
    if (this.#callsInFlight >= this.#limits.inFlightCallsMax) return this.#tooManyCalls;
    const failure = this.acquireBytes(requestBytes);
    if (failure === undefined) this.#callsInFlight++;
    return failure;
  }

  /** Ends a call that was accepted. */
  release(requestBytes: number): void {
    this.releaseBytes(requestBytes);
    this.#callsInFlight--;
    if (this.#callsInFlight === 0) this.#whenIdle?.();
  }

  /** Counts bytes of a request, or says that there are too many. */
  acquireBytes(bytes: number): Failure | undefined {
    if (this.#requestBytes + bytes > this.#limits.requestBytesMax) return this.tooManyBytes;
    this.#requestBytes += bytes;
    return undefined;
  }

  releaseBytes(bytes: number): void {
    this.#requestBytes -= bytes;
  }

  /** From now on every new call is refused. Resolves once no call is in flight. */
  close(): Promise<void> {
    this.#draining = true;
    if (this.#callsInFlight === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#whenIdle = resolve;
    });
  }
}
