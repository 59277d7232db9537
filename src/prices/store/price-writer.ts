/** Adds price versions. */

import { setImmediate as nextTurn } from 'node:timers/promises';

import type { Database } from '../../database/orm.ts';
import { type RetryOptions, retriedTransaction } from '../../database/retry.ts';
import type { Transaction } from '../../database/transaction.ts';
import { TimeSlice } from '../../grpc/time-slice.ts';
import { lockTenant } from '../../journal/index.ts';
import { appendAuditEntry } from '../../tenants/index.ts';
import type { PriceCall, PriceRecorder, Prices, RefusedAt } from '../ports.ts';
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

  async add(
    tenant: string,
    requests: readonly PriceRequest[],
    call: PriceCall,
  ): Promise<PriceResult[] | RefusedAt> {
    const outcome = await retriedTransaction(this.#database, tenant, this.#options, async (transaction) => {
      await lockTenant(transaction.client, tenant);
      const known = await this.#prices.within(transaction.em, tenant);
      return decideAndInsert(transaction, tenant, requests, known.copy(), call);
    });
    // This process uses the versions at once. If that fails, its next write finds out.
    await this.#prices.reload(tenant).catch(() => undefined);
    return outcome;
  }
}

/** `prices`: all versions, in a book that nobody else reads. The caller holds the lock of the tenant. */
async function decideAndInsert(
  transaction: Transaction,
  tenant: string,
  requests: readonly PriceRequest[],
  prices: PriceBook,
  call: PriceCall,
): Promise<PriceResult[] | RefusedAt> {
  const { client, em } = transaction;
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
  if (created.length > 0) {
    await audit(transaction, tenant, created, call);
    await insertPrices(em, client, tenant, created);
  }
  return results;
}

/** One entry for all versions of a call: their numbers follow one another. A version never changes, so its number says all. */
function audit(
  transaction: Transaction,
  tenant: string,
  created: readonly NewPrice[],
  { actor, method }: PriceCall,
): Promise<void> {
  const [first, last] = [created[0]?.price.version, created.at(-1)?.price.version];
  return appendAuditEntry(transaction, actor, {
    tenant,
    action: `charge.v1.PriceService/${method}`,
    target: first === last ? String(first) : `${first}-${last}`,
    details: new Map([['versions', String(created.length)]]),
  });
}
