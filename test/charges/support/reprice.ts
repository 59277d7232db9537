/** A store with a repricer, and prices, voids and closed periods for it. */

import type { Charge, ChargeContent, ChargeFilter, ListPosition } from '../../../src/charges/charge.ts';
import type { ChargeEvent } from '../../../src/charges/charge-event.ts';
import type { RepricePage, RepriceQuery } from '../../../src/charges/ports.ts';
import { Repricer } from '../../../src/charges/store/reprice-charges.ts';
import type { Database } from '../../../src/database/orm.ts';
import { PriceBooks, type PriceContent, PriceWriter } from '../../../src/prices/index.ts';
import {
  ADMINISTRATOR,
  chargeRequest,
  openTestDatabase,
  PRICE_CALL,
  openTestStore,
  type TestStore,
} from '../../support/store.ts';

export const TENANT = 'default';
/** 2026-08-25T00:00:00Z, in microseconds. */
export const START = 1_787_616_000_000_000n;
export const END = START + 86_400_000_000n;

/** Everything in the day after {@link START}. */
export const QUERY: RepriceQuery = {
  filter: { startTimeMicros: START, endTimeMicros: END },
  includePriced: false,
  dryRun: false,
  reason: 'a test',
  runId: 'run',
  maxCharges: 10_000,
  after: undefined,
  allowClosedPeriod: false,
};

const RETRY = { retryForMs: 10_000, retryAfterMs: 100 };

/** What a price says; without rates, the cost is the reported one. */
export interface NewPrice {
  readonly model?: string;
  /** Kind → nanos for a million. */
  readonly rates?: Readonly<Record<number, string>>;
}

export class RepriceStore {
  readonly store: TestStore;
  readonly repricer: Repricer;
  /** What the repricers told of after each COMMIT. */
  readonly events: ChargeEvent[] = [];
  /** Connections that may wait for the lock of the tenant. */
  readonly #locked: Database;
  readonly #prices: PriceWriter;
  #added = 0;

  private constructor(store: TestStore, locked: Database) {
    this.store = store;
    this.#locked = locked;
    this.#prices = new PriceWriter(locked, this.newPriceBooks(), RETRY);
    this.repricer = this.newRepricer();
  }

  static async open(): Promise<RepriceStore> {
    const store = await openTestStore();
    return new RepriceStore(store, await openTestDatabase(store.url, { poolSizeMax: 3 }));
  }

  newPriceBooks(): PriceBooks {
    return new PriceBooks(this.store.database.em, () => undefined);
  }

  /** As another process would have it. */
  newRepricer(): Repricer {
    return new Repricer(this.#locked, this.newPriceBooks(), RETRY, {
      committed: (events) => this.events.push(...events),
    });
  }

  /** Adds a version that is always in force, and resolves to its number. */
  async addPrice({ model = 'gpt-4o', rates }: NewPrice): Promise<number> {
    const any = { provider: 1, otherProvider: '', chargeType: 1, modelMatch: 1, serviceTier: 1, region: '' };
    const card = rates && {
      currencyCode: 'USD',
      rates: new Map(Object.entries(rates).map(([kind, rate]) => [Number(kind), BigInt(rate)])),
      tiers: [],
    };
    const content: PriceContent = {
      key: { ...any, model },
      effectiveTimeMicros: 0n,
      basis: card === undefined ? { kind: 'reported' } : { kind: 'rate_card', card },
      source: '',
      note: '',
    };
    const requestId = `price-${++this.#added}`;
    const added = await this.#prices.add(TENANT, [{ requestId, content, allowPast: true }], PRICE_CALL);
    if (!Array.isArray(added)) throw new Error('the price was refused');
    return added[0]?.price.version ?? NaN;
  }

  /** Records one charge for each content, a second apart from {@link START} on, unless it says another time. */
  async record(prefix: string, contents: readonly Partial<ChargeContent>[]): Promise<Charge[]> {
    const requests = contents.map((content, index) =>
      chargeRequest(`${prefix}-${index}`, {
        usageTimeMicros: START + BigInt(index) * 1_000_000n,
        ...content,
      }),
    );
    const results = await this.store.writer.record(TENANT, requests);
    return results.map((result) => {
      if (result.outcome !== 'created') throw new Error(`the charge is ${result.outcome}`);
      return result.charge;
    });
  }

  /** Voids charges, one after the other. */
  async void(ids: readonly string[]): Promise<void> {
    for (const id of ids) {
      const request = { requestId: `void-${id}`, reason: 'a test', allowClosedPeriod: false };
      await this.store.corrector.voidCharge(TENANT, { kind: 'void', key: { id }, ...request }, ADMINISTRATOR);
    }
  }

  reprice(query: Partial<RepriceQuery> = {}, repricer = this.repricer): Promise<RepricePage> {
    return repricer.reprice(TENANT, { ...QUERY, ...query }, ADMINISTRATOR);
  }

  /** Page after page, to the end. */
  async repriceAll(query: Partial<RepriceQuery> = {}, repricer = this.repricer): Promise<RepricePage[]> {
    const pages: RepricePage[] = [];
    let after = query.after;
    do {
      const page = await this.reprice({ ...query, after }, repricer);
      pages.push(page);
      after = page.next;
    } while (after !== undefined);
    return pages;
  }

  /** Charges that count, as they are now, by id. */
  async charges(filter: ChargeFilter = {}): Promise<Map<string, Charge>> {
    const { reader } = this.store;
    const found = new Map<string, Charge>();
    let after: ListPosition | undefined;
    do {
      const page = await reader.list(TENANT, {
        filter,
        order: 'oldest_first',
        includeCorrected: false,
        limit: 1000,
        after,
      });
      for (const charge of page.charges) found.set(charge.id, charge);
      after = page.next;
    } while (after !== undefined);
    return found;
  }

  /** Rows of the tables that a reprice may add to. */
  async rowCounts(): Promise<unknown> {
    const { rows } = await this.store.owner.pool.query(
      `SELECT (SELECT count(*) FROM cost_revision) AS revisions, (SELECT count(*) FROM reprice_run) AS runs,
         (SELECT count(*) FROM journal) AS entries, (SELECT last_sequence FROM journal_head) AS last`,
    );
    return rows[0];
  }

  async close(): Promise<void> {
    await this.#locked.close();
    await this.store.close();
  }
}
