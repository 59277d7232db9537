/** The price versions of each tenant in memory. */

import type { EntityManager } from '@mikro-orm/postgresql';

import { forTenant } from '../../database/driver.ts';
import type { Prices } from '../ports.ts';
import { PriceBook } from '../price-book.ts';
import { pricesAfter } from './read-prices.ts';

/** The versions of a tenant, and what is being loaded. */
interface Tenant {
  readonly book: PriceBook;
  loaded: boolean;
  loading: Promise<PriceBook> | undefined;
  /** The load after the one in progress. */
  next: Promise<PriceBook> | undefined;
}

/** Versions in memory, of all tenants together. Those of the tenants that were not asked about for longest are dropped. */
const VERSIONS_MAX = 100_000;

/** One per process, on a database that it does not own. A load that fails is tried again by the next caller. */
export class PriceBooks implements Prices {
  readonly #em: EntityManager;
  readonly #loaded: (tenant: string, version: number) => void;
  readonly #versionsMax: number;
  /** The tenant that was asked about last is the last one. */
  readonly #tenants = new Map<string, Tenant>();

  /** `loaded` is told of each load and the version that it reached. */
  constructor(
    em: EntityManager,
    loaded: (tenant: string, version: number) => void,
    versionsMax = VERSIONS_MAX,
  ) {
    this.#em = em;
    this.#loaded = loaded;
    this.#versionsMax = versionsMax;
  }

  get(tenant: string): Promise<PriceBook> {
    const state = this.#stateOf(tenant);
    if (state.loaded) return Promise.resolve(state.book);
    return state.loading ?? this.reload(tenant);
  }

  async including(tenant: string, version: number): Promise<PriceBook> {
    const book = await this.get(tenant);
    return book.version >= version ? book : this.reload(tenant);
  }

  async within(em: EntityManager, tenant: string): Promise<PriceBook> {
    const { book } = this.#stateOf(tenant);
    const newer = await pricesAfter(em, tenant, book.version);
    if (newer.length === 0) return book;
    book.add(newer);
    this.#loaded(tenant, book.version);
    return book;
  }

  /** Callers share loads: one that is in progress may have read before what a caller needs, so they share the next. */
  reload(tenant: string): Promise<PriceBook> {
    const state = this.#stateOf(tenant);
    if (state.next !== undefined) return state.next;
    if (state.loading === undefined) return this.#load(tenant, state);
    const next = () => {
      state.next = undefined;
      return this.#load(tenant, state);
    };
    return (state.next = state.loading.then(next, next));
  }

  #stateOf(tenant: string): Tenant {
    const known = this.#tenants.get(tenant);
    if (known !== undefined) this.#tenants.delete(tenant);
    const state = known ?? { book: new PriceBook(), loaded: false, loading: undefined, next: undefined };
    this.#tenants.set(tenant, state);
    return state;
  }

  /** The last tenant stays, however many versions it has. Its number of versions is the number of the last one. */
  #dropSome(): void {
    let versions = 0;
    for (const { book } of this.#tenants.values()) versions += book.version;
    for (const [tenant, { book, loading }] of this.#tenants) {
      if (versions <= this.#versionsMax || this.#tenants.size === 1) return;
      if (loading !== undefined) continue;
      this.#tenants.delete(tenant);
      versions -= book.version;
    }
  }

  #load(tenant: string, state: Tenant): Promise<PriceBook> {
    const { book } = state;
    const loading = pricesAfter(forTenant(this.#em, tenant), tenant, book.version).then((prices) => {
      book.add(prices);
      state.loaded = true;
      this.#loaded(tenant, book.version);
      return book;
    });
    state.loading = loading;
    const done = () => {
      if (state.loading === loading) state.loading = undefined;
      this.#dropSome();
    };
    loading.then(done, done);
    return loading;
  }
}
