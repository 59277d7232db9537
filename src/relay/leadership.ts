/** Whether this relay is the one that publishes: a lease in PostgreSQL, renewed before it expires. */

import { randomUUID } from 'node:crypto';

import type { EntityManager } from '@mikro-orm/postgresql';

import { acquireLease, type Lease, releaseLease } from './store/relay-state.ts';

/** A term of leadership that is renewed after a third of it. */
export class Leadership {
  readonly #em: EntityManager;
  readonly #ttlMs: number;
  readonly #changed: (leading: boolean) => void;
  readonly #holder = randomUUID();
  #lease: Lease | undefined;
  #renewAt = 0;

  constructor(em: EntityManager, ttlMs: number, changed: (leading: boolean) => void) {
    this.#em = em;
    this.#ttlMs = ttlMs;
    this.#changed = changed;
  }

  /** The term as far as this process knows. It may have ended since. */
  get lease(): Lease | undefined {
    return this.#lease;
  }

  /**
   * Takes or renews the lease if it is time for that; undefined while another relay leads. A process that
   * was stopped for longer than its term finds out here.
   */
  async acquire(): Promise<Lease | undefined> {
    const now = performance.now();
    if (this.#lease !== undefined && now < this.#renewAt) return this.#lease;
    const former = this.#lease;
    this.#lease = await acquireLease(this.#em, this.#holder, this.#ttlMs);
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
    await releaseLease(this.#em, this.#lease).catch(() => undefined);
  }
}
