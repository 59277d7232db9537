/** Follows the journals of all tenants with the kept sums. Any number of replicas may do so: one at a time works on a tenant. */

import { setTimeout as delay } from 'node:timers/promises';

import type { Database } from '../../database/orm.ts';
import { inTransaction } from '../../database/transaction.ts';
import { followJournal } from './follow-journal.ts';

/** Bounds of the follower. */
export interface UsageFollowerOptions {
  /** How often it looks for new events. */
  readonly periodMs: number;
  /** Events that one transaction adds, at most. */
  readonly stepEventsMax: number;
  /** A tenant with fewer new events waits until the oldest of them is this old: few large steps cost least. */
  readonly lagMaxMs: number;
}

/** What the follower reports. */
export interface UsageFollowerEvents {
  /** Events were added to the sums. */
  followed(events: number): void;
  /** Events that are not in the sums yet, of all tenants, and how long the longest wait of a tenant has lasted. */
  lag(events: number, lagMs: number): void;
  /** A round succeeded. */
  succeeded(): void;
  /** A round failed; it is tried again. */
  failed(error: unknown): void;
}

interface Backlog {
  readonly tenant: string;
  readonly events: number;
}

/** Tenants that are looked at in one round. */
const TENANTS_MAX = 1_000;

/** Works until it is stopped, on a database that it does not own and whose sessions see every tenant. */
export class UsageFollower {
  readonly #database: Database;
  readonly #options: UsageFollowerOptions;
  readonly #events: UsageFollowerEvents;
  readonly #stopping = new AbortController();
  /** When each tenant was first seen with events that are not in the sums. */
  readonly #waitingSince = new Map<string, number>();
  #running: Promise<void> | undefined;

  constructor(database: Database, options: UsageFollowerOptions, events: UsageFollowerEvents) {
    this.#database = database;
    this.#options = options;
    this.#events = events;
  }

  /** Starts; returns at once. */
  start(): void {
    this.#running ??= this.#run();
  }

  /** Stops after the step in progress. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      try {
        const failures = await this.#round();
        for (const error of failures) this.#events.failed(error);
        if (failures.length === 0) this.#events.succeeded();
      } catch (error) {
        this.#events.failed(error);
      }
      await delay(this.#options.periodMs, undefined, { signal }).catch(() => undefined);
    }
  }

  /** Resolves to the failures of single tenants: they do not keep the others waiting. */
  async #round(): Promise<unknown[]> {
    const backlogs = await readBacklogs(this.#database);
    const now = performance.now();
    const waiting = new Map(backlogs.map(({ tenant }) => [tenant, this.#waitingSince.get(tenant) ?? now]));
    this.#waitingSince.clear();
    for (const [tenant, since] of waiting) this.#waitingSince.set(tenant, since);
    const lagMs = Math.max(0, ...[...waiting.values()].map((since) => now - since));
    this.#events.lag(
      backlogs.reduce((sum, { events }) => sum + events, 0),
      lagMs,
    );
    const failures: unknown[] = [];
    for (const { tenant, events } of backlogs) {
      const isDue = now - (waiting.get(tenant) ?? now) >= this.#options.lagMaxMs;
      if (events < this.#options.stepEventsMax && !isDue) continue;
      await this.#follow(tenant).catch((error: unknown) => failures.push(error));
    }
    return failures;
  }

  /** Step by step up to the end of the journal. */
  async #follow(tenant: string): Promise<void> {
    this.#waitingSince.delete(tenant);
    const { stepEventsMax } = this.#options;
    for (;;) {
      const step = await inTransaction(
        this.#database,
        tenant,
        (transaction) => followJournal(transaction, tenant, stepEventsMax),
        () => undefined,
      );
      if (step === undefined) return;
      this.#events.followed(step.events);
      if (!step.more || this.#stopping.signal.aborted) return;
    }
  }
}

/**
 * The tenants whose journal is further than their sums, and by how many events. A new tenant gets its cursor here. If
 * only the cursor is lost, Reconcile has to make the sums again: from 0 on, they would count everything twice.
 */
export async function readBacklogs({ em }: Database): Promise<Backlog[]> {
  await em.execute(
    `INSERT INTO usage_cursor (tenant, sequence) SELECT tenant, 0 FROM journal_head
     WHERE tenant NOT IN (SELECT tenant FROM usage_cursor)
       AND NOT EXISTS (SELECT FROM usage_rollup WHERE usage_rollup.tenant = journal_head.tenant)
     ON CONFLICT DO NOTHING`,
  );
  const rows = await em.execute<{ tenant: string; events: string }[]>(
    `SELECT tenant, journal_head.last_sequence - usage_cursor.sequence AS events
     FROM journal_head JOIN usage_cursor USING (tenant)
     WHERE journal_head.last_sequence > usage_cursor.sequence ORDER BY events DESC LIMIT ${TENANTS_MAX}`,
  );
  return rows.map(({ tenant, events }) => ({ tenant, events: Number(events) }));
}
