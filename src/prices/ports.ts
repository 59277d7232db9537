/** What the RPCs and other features need from the store of prices. */

import type { EntityManager } from '@mikro-orm/postgresql';

import type { Actor } from '../tenants/index.ts';
import type { PriceBook } from './price-book.ts';
import type { PriceRefusal, PriceRequest, PriceResult } from './price-decision.ts';

/** Gives the price versions of a tenant. Rejects with what the database said. */
export interface Prices {
  /** The versions that this process knows. They are loaded at the first call. */
  get(tenant: string): Promise<PriceBook>;
  /** The same as {@link get}, after versions that were added since have been loaded. */
  reload(tenant: string): Promise<PriceBook>;
  /** At least the versions up to this one, as far as they exist: loaded only if this process does not know them. */
  including(tenant: string, version: number): Promise<PriceBook>;
  /**
   * All versions, read with the `em` of a transaction that has locked the tenant, so that none can be added until it
   * ends. It needs no other connection: all of them may be waiting for the lock.
   */
  within(em: EntityManager, tenant: string): Promise<PriceBook>;
}

/** Adds price versions. */
export interface PriceRecorder {
  /**
   * Adds a version for each request, or none at all, and resolves after COMMIT. Every charge that is recorded
   * afterwards, by any process, is priced with them. If it adds any, the call has an entry in the audit log. Rejects
   * with a `ServiceError` `database_unavailable`.
   */
  add(tenant: string, requests: readonly PriceRequest[], call: PriceCall): Promise<PriceResult[] | RefusedAt>;
}

/** Who adds versions, and by which method, for the audit log. */
export interface PriceCall {
  readonly actor: Actor;
  readonly method: 'CreatePrice' | 'BatchCreatePrices';
}

/** One request of several was refused, so nothing was added. */
export interface RefusedAt {
  readonly refusal: PriceRefusal;
  /** Its place among the requests, the first one being 0. */
  readonly index: number;
}

/** Reads price versions. Rejects with a `ServiceError`. */
export interface PriceReader {
  /** All versions that were added before the call. */
  latest(tenant: string): Promise<PriceBook>;
  /** At least the versions up to this one, if it exists. */
  including(tenant: string, version: number): Promise<PriceBook>;
}
