/** Adds price versions. */

import type { Database } from '../../database/orm.ts';
import { type RetryOptions, retriedTransaction } from '../../database/retried-transaction.ts';
import type { Transaction } from '../../database/transaction.ts';
import { lockTenant } from '../../journal/index.ts';
import type { PriceRecorder, RefusedAt } from '../ports.ts';
import type { PriceBook } from '../price-book.ts';
import { PriceDecisions, type PriceRequest, type PriceResult } from '../price-decision.ts';
import { insertPrices, type NewPrice } from './insert-prices.ts';
import type { PriceBooks } from './price-books.ts';
import { pricesByRequestId } from './read-prices.ts';

/** Implements {@link PriceRecorder} on a database and price versions that it does not own. */
export class PriceWriter implements PriceRecorder {
  readonly #database: Database;
  readonly #prices: PriceBooks;
  readonly #options: RetryOptions;

  constructor(database: Database, prices: PriceBooks, options: RetryOptions) {
    this.#database = database;
    this.#prices = prices;
    this.#options = options;
  }

  async add(tenant: string, requests: readonly PriceRequest[]): Promise<PriceResult[] | RefusedAt> {
    const outcome = await retriedTransaction(this.#database, this.#options, async (transaction) => {
      await lockTenant(transaction.client, tenant);
      const prices = await this.#prices.within(transaction.em, tenant);
      return decideAndInsert(transaction, tenant, requests, prices.copy());
    });
    // This process uses the versions at once. If that fails, its next write finds out.
    await this.#prices.reload(tenant).catch(() => undefined);
    return outcome;
  }
}

/** The caller holds the lock of the tenant: each call sees what the others have added. */
async function decideAndInsert(
  { client, em }: Transaction,
  tenant: string,
  requests: readonly PriceRequest[],
  prices: PriceBook,
): Promise<PriceResult[] | RefusedAt> {
  const requestIds = requests.map(({ requestId }) => requestId);
  const stored = await pricesByRequestId(em, tenant, requestIds);
  const decisions = new PriceDecisions(prices, stored, BigInt(Date.now()) * 1000n);
  const results: PriceResult[] = [];
  const created: NewPrice[] = [];
  for (const [index, request] of requests.entries()) {
    const decision = decisions.decide(request);
    if ('kind' in decision) return { refusal: decision, index };
    results.push(decision);
    if (decision.outcome === 'created') created.push({ requestId: request.requestId, price: decision.price });
  }
  if (created.length > 0) await insertPrices(em, client, tenant, created);
  return results;
}
