/** Finds the journals with unpublished events, without asking for all of them each time. */

import type { EntityManager } from '@mikro-orm/postgresql';

import { type Backlog, readBacklogs } from './store/relay-state.ts';

/** Journals of one round, at most. */
const TENANTS_PER_ROUND_MAX = 100;

/**
 * Asks for the journals that a server process of this service has named, and for those of the round before; for all
 * of them, which other replicas may have written, now and then.
 */
export class BacklogPoll {
  readonly #em: EntityManager;
  readonly #periodMs: number;
  #named = new Set<string>();
  /** When all are asked for, on the clock of `performance.now()`. 0: now. */
  #nextAt = 0;
  /** The last tenant of a round that had no room for all. */
  #after = '';

  /** Every `periodMs` all journals are asked for. */
  constructor(em: EntityManager, periodMs: number) {
    this.#em = em;
    this.#periodMs = periodMs;
  }

  /** This tenant has new events. */
  name(tenant: string): void {
    this.#named.add(tenant);
  }

  /** Any tenant may have. */
  nameAll(): void {
    this.#nextAt = 0;
  }

  /** Whether a round had no room for all. */
  get hasMore(): boolean {
    return this.#after !== '';
  }

  /** How long nobody needs to ask, unless a tenant is named. */
  get idleMs(): number {
    return Math.max(0, this.#nextAt - performance.now());
  }

  /** The next journals to publish, as many as a round may have. If there are more, they come first in the next one. */
  async next(): Promise<Backlog[]> {
    const now = performance.now();
    const asksForAll = now >= this.#nextAt;
    const named = this.#named;
    if (!asksForAll && named.size === 0) return [];
    const nextAt = asksForAll ? now + this.#periodMs : this.#nextAt;
    this.#named = new Set();
    // Stays if this fails, or if there is no room for all.
    this.#nextAt = 0;
    const backlogs = await readBacklogs(this.#em, {
      tenants: asksForAll ? undefined : [...named],
      after: this.#after,
      limit: TENANTS_PER_ROUND_MAX,
    });
    const isFull = backlogs.length === TENANTS_PER_ROUND_MAX;
    this.#after = isFull ? (backlogs.at(-1)?.tenant ?? '') : '';
    if (!isFull) this.#nextAt = nextAt;
    for (const { tenant } of backlogs) this.#named.add(tenant);
    return backlogs;
  }
}
