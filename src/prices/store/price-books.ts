/** The price versions of each tenant in memory. */

import type { EntityManager } from '@mikro-orm/postgresql';

import { mapRows } from '../../database/map-rows.ts';
import { PriceEntity } from '../entity.ts';
import { PriceBook } from '../price-book.ts';
import { priceOf } from './price-row.ts';

/** Gives the price versions of a tenant. */
export interface Prices {
  /** The versions that this process knows. They are loaded at the first call. */
  get(tenant: string): Promise<PriceBook>;
  /** The same, after versions that were added since have been loaded. */
  reload(tenant: string): Promise<PriceBook>;
}

/** One per process, on a database that it does not own. A load that fails is tried again by the next caller. */
export class PriceBooks implements Prices {
  readonly #em: EntityManager;
  readonly #loaded: (tenant: string, version: number) => void;
  readonly #books = new Map<string, PriceBook>();
  readonly #loading = new Map<string, Promise<PriceBook>>();

  /** `loaded` is told of each load and the version that it reached. */
  constructor(em: EntityManager, loaded: (tenant: string, version: number) => void) {
    this.#em = em;
    this.#loaded = loaded;
  }

  get(tenant: string): Promise<PriceBook> {
    const book = this.#books.get(tenant);
    return book === undefined ? (this.#loading.get(tenant) ?? this.reload(tenant)) : Promise.resolve(book);
  }

  reload(tenant: string): Promise<PriceBook> {
    // A load in progress may have read before the version that the caller needs. So this one comes after it.
    const before = this.#loading.get(tenant) ?? Promise.resolve();
    const loading = before
      .catch(() => undefined)
      .then(() => this.#load(tenant))
      .finally(() => {
        if (this.#loading.get(tenant) === loading) this.#loading.delete(tenant);
      });
    this.#loading.set(tenant, loading);
    return loading;
  }

  async #load(tenant: string): Promise<PriceBook> {
    const book = this.#books.get(tenant) ?? new PriceBook();
    const em = this.#em.fork();
    const rows = await em.execute<object[]>(
      'SELECT * FROM price WHERE tenant = :tenant AND version > :version ORDER BY version',
      { tenant, version: book.version },
    );
    book.add(mapRows(em, PriceEntity, rows).map(priceOf));
    this.#books.set(tenant, book);
    this.#loaded(tenant, book.version);
    return book;
  }
}
