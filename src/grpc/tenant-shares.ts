/** Something that there is little of, and that no tenant can keep from the others. */

/** How much there may be. */
export interface ShareLimits {
  /** Anybody may have more while there is less than this. */
  readonly max: number;
  /** From then on, only who has less than an equal part of `max`, up to this. */
  readonly hardMax: number;
}

/** Counts what each tenant has. A tenant without any takes no memory. */
export class TenantShares {
  readonly #limits: ShareLimits;
  readonly #counts = new Map<string, number>();
  #total = 0;

  constructor(limits: ShareLimits) {
    this.#limits = limits;
  }

  /** Whether the tenant may have one more. */
  admits(tenant: string): boolean {
    const { max, hardMax } = this.#limits;
    if (this.#total < max) return true;
    const own = this.#counts.get(tenant) ?? 0;
    const tenants = this.#counts.size + (own === 0 ? 1 : 0);
    return this.#total < hardMax && own < max / tenants;
  }

  /** The tenant has one more. */
  add(tenant: string): void {
    this.#counts.set(tenant, (this.#counts.get(tenant) ?? 0) + 1);
    this.#total++;
  }

  /** The tenant has one less. */
  remove(tenant: string): void {
    const left = (this.#counts.get(tenant) ?? 0) - 1;
    if (left > 0) this.#counts.set(tenant, left);
    else this.#counts.delete(tenant);
    this.#total--;
  }
}
