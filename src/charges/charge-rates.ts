/** How many charges a second each tenant may record. */

/** What a tenant may record at once, and when that was known. */
interface Bucket {
  charges: number;
  atMs: number;
}

/** What waits for the bucket waits for at least a tenth of a second, so that it goes on in groups. */
const WAIT_PARTS = 10;
/** Of a charge: sums of fractions are inexact. */
const ROUNDING = 1e-6;

/**
 * A token bucket for each tenant that has a limit: it holds the charges of one second at most, and fills evenly. So
 * within any time t, a tenant begins to record at most `max · (1 s + t)` charges, and the rest of its last call.
 */
export class ChargeRates {
  readonly #maxOf: (tenant: string) => number;
  readonly #nowMs: () => number;
  readonly #buckets = new Map<string, Bucket>();

  /** `maxOf`: charges per second of a tenant, at least 1; Infinity: it has no limit. */
  constructor(maxOf: (tenant: string) => number, nowMs = () => performance.now()) {
    this.#maxOf = maxOf;
    this.#nowMs = nowMs;
  }

  /** The limit of the tenant. */
  maxOf(tenant: string): number {
    return this.#maxOf(tenant);
  }

  /**
   * Takes all of these charges, or none. Returns how long to wait before the next attempt, in milliseconds; 0: they are
   * taken. If anything is in the bucket, a call may take more than that: the next one waits for it.
   */
  takeAll(tenant: string, charges: number): number {
    const max = this.#maxOf(tenant);
    if (max === Infinity) return 0;
    const bucket = this.#filled(tenant, max);
    const waitMs = waitMsOf(bucket, 1, max);
    if (waitMs === 0) bucket.charges -= charges;
    return waitMs;
  }

  /** Takes as many of these charges as the bucket has. Returns how many. */
  takeSome(tenant: string, charges: number): number {
    const max = this.#maxOf(tenant);
    if (max === Infinity) return charges;
    const bucket = this.#filled(tenant, max);
    const taken = Math.max(0, Math.min(charges, Math.floor(bucket.charges + ROUNDING)));
    bucket.charges -= taken;
    return taken;
  }

  /** How long until some of these charges can be taken, in milliseconds; 0: now. */
  waitMs(tenant: string, charges: number): number {
    const max = this.#maxOf(tenant);
    if (max === Infinity) return 0;
    const wanted = Math.min(charges, Math.ceil(max / WAIT_PARTS));
    return waitMsOf(this.#filled(tenant, max), wanted, max);
  }

  #filled(tenant: string, max: number): Bucket {
    const nowMs = this.#nowMs();
    let bucket = this.#buckets.get(tenant);
    if (bucket === undefined) this.#buckets.set(tenant, (bucket = { charges: max, atMs: nowMs }));
    bucket.charges = Math.min(max, bucket.charges + ((nowMs - bucket.atMs) / 1000) * max);
    bucket.atMs = nowMs;
    return bucket;
  }
}

/** Rounded up, so that nobody comes too early. */
function waitMsOf({ charges }: Bucket, wanted: number, max: number): number {
  return Math.max(0, Math.ceil(((wanted - charges - ROUNDING) * 1000) / max));
}
