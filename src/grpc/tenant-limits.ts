/** What each tenant may use of a server process, so that one of them leaves room for the others. */

import { type Failure, tenantLimitExceeded } from '../errors/failure.ts';
import type { RpcLimits } from './limits.ts';
import { prepareFailure } from './status.ts';

/** Limits of one tenant in each server process. Every one at least 1; Infinity: there is none. */
export interface TenantLimits {
  /** Unary calls in flight, over all connections of the tenant. */
  readonly callsInFlightMax: number;
  /** Open streams that record, watch or export, over all connections of the tenant. */
  readonly streamsMax: number;
  /** Charges that are recorded per second, in the long run. See `ChargeRates`. */
  readonly chargesPerSecondMax: number;
}

/** The limits of a tenant at this moment. Called several times in every call, so it has to be cheap. */
export type LimitsOf = (tenant: string) => TenantLimits;

/** With many connections, a tenant could open twice the streams that the server is for, which is all that it takes. */
const STREAMS_FACTOR = 1.5;

/** Limits that leave room for other tenants, and that are above those of the server for a tenant alone. */
export function defaultTenantLimits({ streamsMax }: Pick<RpcLimits, 'streamsMax'>): TenantLimits {
  return {
    // The server itself keeps room for calls of other tenants.
    callsInFlightMax: Infinity,
    streamsMax: Math.ceil(streamsMax * STREAMS_FACTOR),
    chargesPerSecondMax: Infinity,
  };
}

/** What each tenant has of something that is limited. A tenant without any takes no memory. */
export class TenantCounts {
  readonly #limit: 'calls_in_flight' | 'streams';
  readonly #retryAfterMs: number;
  readonly #counts = new Map<string, number>();
  /** By the size of the limit: whoever floods the server is refused often. */
  readonly #failures = new Map<number, Failure>();

  constructor(limit: 'calls_in_flight' | 'streams', retryAfterMs: number) {
    this.#limit = limit;
    this.#retryAfterMs = retryAfterMs;
  }

  /** What the tenant has. */
  of(tenant: string): number {
    return this.#counts.get(tenant) ?? 0;
  }

  /** Counts one more, or says that the tenant has `max` already. */
  acquire(tenant: string, max: number): Failure | undefined {
    const count = this.of(tenant);
    if (count >= max) return this.#failureAt(max);
    this.#counts.set(tenant, count + 1);
    return undefined;
  }

  /** One of those that were counted has ended. */
  release(tenant: string): void {
    const count = this.of(tenant) - 1;
    if (count > 0) this.#counts.set(tenant, count);
    else this.#counts.delete(tenant);
  }

  #failureAt(max: number): Failure {
    let failure = this.#failures.get(max);
    if (failure === undefined) {
      const description = `${max.toLocaleString('en')} ${DESCRIPTIONS[this.#limit]}`;
      failure = prepareFailure(tenantLimitExceeded(this.#limit, description, this.#retryAfterMs));
      this.#failures.set(max, failure);
    }
    return failure;
  }
}

const DESCRIPTIONS = { calls_in_flight: 'calls in flight', streams: 'open streams' } as const;
