/** Which unary calls the server accepts: none while it drains, and no more than it can hold. */

import { type Failure, overloaded, shuttingDown } from '../errors/failure.ts';
import type { RpcLimits } from './limits.ts';
import { prepareFailure } from './status.ts';
import { ResponseBytes } from './response-bytes.ts';
import { type LimitsOf, TenantCounts } from './tenant-limits.ts';

type AdmissionLimits = Pick<
  RpcLimits,
  'inFlightCallsMax' | 'requestBytesMax' | 'responseBytesMax' | 'retryAfterMs'
>;

/** Above the limit of calls, a tenant with less than a hundredth of it may still call, up to a multiple of the limit. */
const FEW_CALLS_PART = 0.01;
const HARD_LIMIT_FACTOR = 2;

/** Counts unary calls from their acceptance until their work is done, even if the caller leaves earlier. */
export class Admission {
  /** The failure of everything that is refused or ended because the server drains. */
  readonly shuttingDown: Failure;
  /** The failure of requests that take too many bytes. */
  readonly tooManyBytes: Failure;
  /** Responses that were handed to the transport and that clients have not read yet. */
  readonly responses: ResponseBytes;
  readonly #limits: AdmissionLimits;
  readonly #limitsOf: LimitsOf;
  readonly #tooManyCalls: Failure;
  readonly #callsOf: TenantCounts;
  #callsInFlight = 0;
  #requestBytes = 0;
  #draining = false;
  #whenIdle: (() => void) | undefined;

  constructor(limits: AdmissionLimits, limitsOf: LimitsOf) {
    const { inFlightCallsMax, requestBytesMax, retryAfterMs } = limits;
    this.#limits = limits;
    this.#limitsOf = limitsOf;
    this.#callsOf = new TenantCounts('calls_in_flight', retryAfterMs);
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

  /** Accepts a call with a request of so many bytes, whoever makes it, or says why not. */
  acquire(requestBytes: number): Failure | undefined {
    if (this.#callsInFlight >= this.#limits.inFlightCallsMax * HARD_LIMIT_FACTOR) return this.#tooManyCalls;
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

  /** Counts an accepted call for its tenant, or says why the tenant may not make it. */
  acquireOf(tenant: string): Failure | undefined {
    const { inFlightCallsMax } = this.#limits;
    const few = Math.max(1, inFlightCallsMax * FEW_CALLS_PART);
    if (this.#callsInFlight > inFlightCallsMax && this.#callsOf.of(tenant) >= few) return this.#tooManyCalls;
    return this.#callsOf.acquire(tenant, this.#limitsOf(tenant).callsInFlightMax);
  }

  /** Ends a call that was counted for its tenant. */
  releaseOf(tenant: string): void {
    this.#callsOf.release(tenant);
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
