/** Whether this relay is the one that publishes: a lease in PostgreSQL, renewed in good time. */

import { randomUUID } from 'node:crypto';
import type { Pool } from 'pg';

import { acquireLease, type Lease, releaseLease } from './store/relay-state.ts';

/** A term of leadership that is renewed when a third of it is over. */
export class Leadership {
  readonly #pool: Pool;
  readonly #ttlMs: number;
  readonly #changed: (leading: boolean) => void;
  readonly #holder = randomUUID();
  #lease: Lease | undefined;
  #renewAt = 0;

  constructor(pool: Pool, ttlMs: number, changed: (leading: boolean) => void) {
    this.#pool = pool;
    this.#ttlMs = ttlMs;
    this.#changed = changed;
  }

  /** The term as far as this process knows; it may have ended meanwhile. */
  get lease(): Lease | undefined {
    return this.#lease;
  }

  /**
   * Takes or renews the lease where it is time for that; undefined while another relay leads. A
   * process that was stopped past its term finds out here.
   */
  async hold(): Promise<Lease | undefined> {
    const now = performance.now();
    if (this.#lease !== undefined && now < this.#renewAt) return this.#lease;
    const former = this.#lease;
    this.#lease = await acquireLease(this.#pool, this.#holder, this.#ttlMs);
    this.#renewAt = now + this.#ttlMs / 3;
    if (former?.epoch !== this.#lease?.epoch) this.#changed(this.#lease !== undefined);
    return this.#lease;
  }

  /** The database says that the term is over. */
  lose(): void {
    if (this.#lease === undefined) return;
    this.#lease = undefined;
    this.#changed(false);
  }

  /** Ends the term, so that another relay need not wait for its end. */
  async release(): Promise<void> {
    if (this.#lease === undefined) return;
    await releaseLease(this.#pool, this.#lease).catch(() => undefined);
  }
}
