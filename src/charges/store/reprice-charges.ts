/** Gives recorded charges new costs: page by page, group by group. */

import type { Database } from '../../database/orm.ts';
import { retriedTransaction, type RetryOptions } from '../../database/retry.ts';
import type { Prices } from '../../prices/index.ts';
import type { Actor } from '../../tenants/index.ts';
import type { ChargeEvent } from '../charge-event.ts';
import type { ChargeRepricer, RepriceCaller, RepricePage, RepriceQuery } from '../ports.ts';
import { NOTHING_REPRICED } from '../reprice.ts';
import { areStored, type RepricedGroup, RepriceGroups } from './reprice-group.ts';

/** A page ends after this time, however few charges match, so that a caller sees progress. */
const PAGE_MS_MAX = 10_000;

/** What the repricer tells the outside. */
export interface RepricerEvents {
  /** After COMMIT: the new events in the tenant's journal, in order. */
  readonly committed: (events: readonly ChargeEvent[]) => void;
}

/** Implements {@link ChargeRepricer} on a database and price versions that it does not own. */
export class Repricer implements ChargeRepricer {
  readonly #database: Database;
  readonly #groups: RepriceGroups;
  readonly #options: RetryOptions;
  readonly #events: RepricerEvents;

  /** The connections of `database` may wait for the lock of a tenant. */
  constructor(database: Database, prices: Prices, options: RetryOptions, events: RepricerEvents) {
    this.#database = database;
    this.#groups = new RepriceGroups(database.orm, prices);
    this.#options = options;
    this.#events = events;
  }

  async reprice(tenant: string, query: RepriceQuery, caller: RepriceCaller): Promise<RepricePage> {
    const { timeoutMs = Infinity } = caller;
    const endAt = performance.now() + Math.min(timeoutMs / 2, PAGE_MS_MAX);
    const start: RepricePage = { totals: NOTHING_REPRICED, lastSequence: 0n, next: query.after };
    let page = await this.#addGroup(tenant, query, start, caller);
    while (
      page.next !== undefined &&
      page.totals.matchedCharges < query.maxCharges &&
      performance.now() < endAt &&
      !caller.aborted
    ) {
      try {
        page = await this.#addGroup(tenant, query, page, caller);
      } catch {
        // The next page meets the error again if it lasts, and can say that it has recorded nothing.
        break;
      }
    }
    return page;
  }

  async #addGroup(
    tenant: string,
    query: RepriceQuery,
    page: RepricePage,
    actor: Actor,
  ): Promise<RepricePage> {
    let written: RepricedGroup | undefined;
    const group = await retriedTransaction(this.#database, tenant, this.#options, async (transaction) => {
      if (written !== undefined && (await areStored(transaction.em, tenant, written.events))) return written;
      return (written = await this.#groups.run(transaction, tenant, query, page, actor));
    });
    if (group.events.length > 0) this.#events.committed(group.events);
    return group.page;
  }
}
