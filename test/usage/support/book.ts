/** A store with tenants that nobody else uses, and what changes their books and answers about them. */

import type { ChargeContent } from '../../../src/charges/charge.ts';
import type { JournalEvent } from '../../../src/charges/charge-event.ts';
import { Repricer } from '../../../src/charges/store/reprice-charges.ts';
import type { Database } from '../../../src/database/orm.ts';
import { jsonOfMap } from '../../../src/database/types/json-map.ts';
import { inTransaction } from '../../../src/database/transaction.ts';
import { ServiceError } from '../../../src/errors/failure.ts';
import { PriceBooks, type PriceContent, PriceWriter } from '../../../src/prices/index.ts';
import type { UsagePlace, UsageQuery, UsageRow } from '../../../src/usage/usage.ts';
import { WINDOW } from '../../../src/usage/usage.ts';
import { type FollowedStep, followJournal } from '../../../src/usage/store/follow-journal.ts';
import { createUsageReader } from '../../../src/usage/store/usage-reader.ts';
import { windowBounds } from '../../../src/usage/windows.ts';
import {
  ADMINISTRATOR,
  chargeRequest,
  openTestDatabase,
  openTestStore,
  PRICE_CALL,
  type TestStore,
} from '../../support/store.ts';

/** Everything once, of the last number of the journal. */
export const EVERYTHING: UsageQuery = {
  filter: {},
  groupBy: [],
  groupByLabels: [],
  groupByUserProfileLabels: [],
  window: WINDOW.none,
  timeZone: 'UTC',
  orderBy: 1,
  currencyCode: '',
  fill: false,
  readMask: [],
  asOfSequence: undefined,
};

/** Every usage time: from the year 1 to the year 2100. */
export const ALL_TIMES = { startTimeMicros: -62_135_596_800_000_000n, endTimeMicros: 4_102_444_800_000_000n };

const RETRY = { retryForMs: 10_000, retryAfterMs: 100 };

/** The labels of the user profiles of every book. `zoe` is not among them, and `Zoë` has no labels. */
export const USER_PROFILES: ReadonlyMap<string, ReadonlyMap<string, string>> = new Map([
  ['alice', new Map([['team', 'x']])],
  [
    "bob'); --",
    new Map([
      ['team', 'y'],
      ['a "b\' :tenant', '?'],
      ['__proto__', 'p'],
    ]),
  ],
  ['Zoë', new Map()],
]);

/** What a price says; without rates, the cost is the reported one. */
export interface NewPrice {
  readonly model: string;
  /** Kind → nanos for a million. */
  readonly rates: Readonly<Record<number, bigint>> | undefined;
}

/** A whole answer. */
export interface Answer {
  readonly rows: readonly UsageRow[];
  readonly asOfSequence: bigint;
}

/** Stores that suites about usage work on. */
export class UsageStore {
  readonly store: TestStore;
  readonly usage: ReturnType<typeof createUsageReader>;
  /** Connections that may wait for the lock of a tenant. */
  readonly locked: Database;
  readonly prices: PriceWriter;
  readonly repricer: Repricer;
  #tenants = 0;

  private constructor(store: TestStore, locked: Database) {
    this.store = store;
    this.locked = locked;
    const books = new PriceBooks(store.database.em, () => undefined);
    this.usage = createUsageReader(store.reads);
    this.prices = new PriceWriter(locked, books, RETRY);
    this.repricer = new Repricer(locked, books, RETRY, { committed: () => undefined });
  }

  static async open(): Promise<UsageStore> {
    const store = await openTestStore();
    return new UsageStore(store, await openTestDatabase(store.url, { poolSizeMax: 3 }));
  }

  /** The book of a new tenant. */
  async newBook(): Promise<UsageBook> {
    const tenant = `tenant-${this.#tenants++}`;
    const { pool } = this.store.owner;
    await pool.query('INSERT INTO journal_head (tenant, last_sequence) VALUES ($1, 0)', [tenant]);
    await pool.query('INSERT INTO tenant_lock (tenant) VALUES ($1)', [tenant]);
    for (const [id, labels] of USER_PROFILES) {
      await pool.query(
        'INSERT INTO user_profile (tenant, id, labels, create_time, update_time) VALUES ($1, $2, $3, now(), now())',
        [tenant, id, labels.size === 0 ? null : jsonOfMap(labels)],
      );
    }
    await pool.query('INSERT INTO usage_cursor (tenant, sequence) VALUES ($1, 0)', [tenant]);
    return new UsageBook(this, tenant);
  }

  async close(): Promise<void> {
    await this.locked.close();
    await this.store.close();
  }
}

/** The book of one tenant. */
export class UsageBook {
  readonly tenant: string;
  readonly #parts: UsageStore;
  #requests = 0;

  constructor(parts: UsageStore, tenant: string) {
    this.#parts = parts;
    this.tenant = tenant;
  }

  /** Records charges; resolves to their ids. */
  async record(contents: readonly Partial<ChargeContent>[], importId = ''): Promise<string[]> {
    const requests = contents.map((content) => ({ ...chargeRequest(this.#requestId(), content), importId }));
    const results = await this.#parts.store.writer.record(this.tenant, requests);
    return results.map((result) => {
      if (result.outcome !== 'created') throw new Error(`the charge is ${result.outcome}`);
      return result.charge.id;
    });
  }

  /** Voids a charge, unless it does not count any more. */
  async void(id: string, { store } = this.#parts): Promise<void> {
    const request = { requestId: this.#requestId(), reason: 'a test', allowClosedPeriod: false };
    await unlessRefused(
      store.corrector.voidCharge(this.tenant, { kind: 'void', key: { id }, ...request }, ADMINISTRATOR),
    );
  }

  /** Amends a charge, unless it does not count any more or would stay the same; resolves to the ids of replacements. */
  async amend(id: string, content: Partial<ChargeContent>): Promise<string[]> {
    const requestId = this.#requestId();
    const request = { requestId, reason: 'a test', allowClosedPeriod: false };
    const { content: full } = chargeRequest(requestId, content);
    const amended = await unlessRefused(
      this.#parts.store.corrector.amendCharge(
        this.tenant,
        { kind: 'amend', key: { id }, content: full, ...request },
        ADMINISTRATOR,
      ),
    );
    return amended?.replacement === undefined ? [] : [amended.replacement.id];
  }

  /** A price of completions of provider 1 that is in force since ever. */
  async addPrice({ model, rates }: NewPrice): Promise<void> {
    const card = rates && {
      currencyCode: 'USD',
      rates: new Map(Object.entries(rates).map(([kind, rate]) => [Number(kind), rate])),
      tiers: [],
    };
    const content: PriceContent = {
      key: {
        provider: 1,
        otherProvider: '',
        chargeType: 1,
        model,
        modelMatch: 1,
        serviceTier: 1,
        region: '',
      },
      effectiveTimeMicros: ALL_TIMES.startTimeMicros,
      basis: card === undefined ? { kind: 'reported' } : { kind: 'rate_card', card },
      source: '',
      note: '',
    };
    const request = { requestId: this.#requestId(), content, allowPast: true };
    await this.#parts.prices.add(this.tenant, [request], PRICE_CALL);
  }

  /** Gives all charges, or those without a cost, the costs of the prices as they are now. */
  async reprice(includePriced: boolean): Promise<void> {
    const query = {
      filter: ALL_TIMES,
      includePriced,
      dryRun: false,
      reason: 'a test',
      runId: this.#requestId(),
      maxCharges: 10_000,
      after: undefined,
      allowClosedPeriod: false,
    };
    await this.#parts.repricer.reprice(this.tenant, query, ADMINISTRATOR);
  }

  /** One step of the kept sums. */
  follow(eventsMax: number, database = this.#parts.store.database): Promise<FollowedStep | undefined> {
    return inTransaction(
      database,
      this.tenant,
      (transaction) => followJournal(transaction, this.tenant, eventsMax),
      () => undefined,
    );
  }

  /** Steps to the end of the journal. */
  async followAll(eventsMax = 1000): Promise<void> {
    while ((await this.follow(eventsMax))?.more !== false);
  }

  lastSequence(): Promise<bigint> {
    return this.#parts.store.journal.lastSequence(this.tenant);
  }

  /** The events up to a number of the journal. */
  async events(upTo: bigint): Promise<JournalEvent[]> {
    const events: JournalEvent[] = [];
    while (BigInt(events.length) < upTo) {
      const limit = Math.min(500, Number(upTo) - events.length);
      const page = await this.#parts.store.journal.read(this.tenant, BigInt(events.length), limit);
      if (page.length === 0) throw new Error('the journal ends too early');
      events.push(...page);
    }
    return events;
  }

  /** All pages of an answer, as a caller gets them who asks for `limit` rows at a time. */
  async ask(question: Partial<UsageQuery>, limit = 10_000, usage = this.#parts.usage): Promise<Answer> {
    const query = { ...EVERYTHING, ...question };
    const bounds = boundsOf(query);
    const rows: UsageRow[] = [];
    let asOfSequence = query.asOfSequence;
    let after: UsagePlace | undefined;
    for (;;) {
      const page = await usage.page(
        this.tenant,
        { query: { ...query, asOfSequence }, bounds, limit: limit + 1, after },
        undefined,
      );
      asOfSequence = page.asOfSequence;
      rows.push(...page.rows.slice(0, limit));
      after = page.rows[limit - 1];
      if (page.rows.length <= limit) return { rows, asOfSequence };
    }
  }

  /** An answer by its stream. */
  async stream(question: Partial<UsageQuery>): Promise<Answer> {
    const query = { ...EVERYTHING, ...question };
    const rows: UsageRow[] = [];
    let asOfSequence = -1n;
    for await (const page of this.#parts.usage.stream(this.tenant, { query, bounds: boundsOf(query) })) {
      rows.push(...page.rows);
      asOfSequence = page.asOfSequence;
    }
    return { rows, asOfSequence };
  }

  #requestId(): string {
    return `${this.tenant}-${this.#requests++}`;
  }
}

/** The bounds of a question's windows. */
export function boundsOf({ window, timeZone, filter }: UsageQuery): bigint[] | undefined {
  const { startTimeMicros, endTimeMicros } = filter;
  if (window === WINDOW.none || startTimeMicros === undefined || endTimeMicros === undefined)
    return undefined;
  return windowBounds(window, timeZone, startTimeMicros, endTimeMicros);
}

/** Undefined if the rules refuse it: random steps hit charges that do not count any more. */
async function unlessRefused<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    const reasons: readonly string[] = ['CHARGE_ALREADY_CORRECTED', 'AMENDMENT_UNCHANGED'];
    if (error instanceof ServiceError && reasons.includes(error.failure.reason)) return undefined;
    throw error;
  }
}
