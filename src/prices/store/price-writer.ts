/** Adds price versions. */

import { setImmediate as nextTurn } from 'node:timers/promises';

import type { Database } from '../../database/orm.ts';
import { type RetryOptions, retriedTransaction } from '../../database/retry.ts';
import type { Transaction } from '../../database/transaction.ts';
import { TimeSlice } from '../../grpc/time-slice.ts';
import { lockTenant } from '../../journal/index.ts';
import type { PriceRecorder, Prices, RefusedAt } from '../ports.ts';
import type { PriceBook } from '../price-book.ts';
import { PriceDecisions, type PriceRequest, type PriceResult } from '../price-decision.ts';
import { insertPrices, type NewPrice } from './insert-prices.ts';
import { pricesByRequestId } from './read-prices.ts';

/** Implements {@link PriceRecorder} on a database and price versions that it does not own. */
export class PriceWriter implements PriceRecorder {
  readonly #database: Database;
  readonly #prices: Prices;
  readonly #options: RetryOptions;

  constructor(database: Database, prices: Prices, options: RetryOptions) {
    this.#database = database;
    this.#prices = prices;
    this.#options = options;
  }

  async add(tenant: string, requests: readonly PriceRequest[]): Promise<PriceResult[] | RefusedAt> {
    const outcome = await retriedTransaction(this.#database, tenant, this.#options, async (transaction) => {
      await lockTenant(transaction.client, tenant);
      const known = await this.#prices.within(transaction.em, tenant);
      return decideAndInsert(transaction, tenant, requests, known.copy());
    });
    // This process uses the versions at once. If that fails, its next write finds out.
    await this.#prices.reload(tenant).catch(() => undefined);
    return outcome;
  }
}

/** `prices`: all versions, in a book that nobody else reads. The caller holds the lock of the tenant. */
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
  // Each alias is compared with all others: a batch of them takes seconds, which other calls must not wait for.
  const slice = new TimeSlice();
  for (const [index, request] of requests.entries()) {
    const decision = decisions.decide(request);
    if ('kind' in decision) return { refusal: decision, index };
    results.push(decision);
    if (decision.outcome === 'created') created.push({ requestId: request.requestId, price: decision.price });
    if (!slice.isOver()) continue;
    await nextTurn();
    slice.restart();
  }
  if (created.length > 0) await insertPrices(em, client, tenant, created);
  return results;
}
