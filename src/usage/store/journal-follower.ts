/** Follows the journals of all tenants with the kept sums. Of any number of replicas, one at a time works on a tenant. */

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

/** Steps of a round. Then it looks which tenants are behind: for 10,000 tenants that takes as long as a few steps. */
const ROUND_STEPS_MAX = 100;

/**
 * Works until it is stopped. Does not own the database. A tenant gets one step at a time, and tenants take turns: one
 * that is far behind delays the others by a step, and the lag of a small one does not depend on how many events it has.
 */
export class UsageFollower {
  readonly #database: Database;
  readonly #options: UsageFollowerOptions;
  readonly #events: UsageFollowerEvents;
  readonly #stopping = new AbortController();
  /** Since when each tenant has events that are not in the sums, in the order of their turns. */
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
      let isBehind = false;
      try {
        isBehind = await this.#round();
      } catch (error) {
        this.#events.failed(error);
      }
      if (!isBehind) await delay(this.#options.periodMs, undefined, { signal }).catch(() => undefined);
    }
  }

  /** Resolves to whether more can be done at once. The failure of a tenant does not keep the others waiting. */
  async #round(): Promise<boolean> {
    const due = await this.#look();
    let isBehind = due.length > ROUND_STEPS_MAX;
    let failed = false;
    for (const tenant of due.slice(0, ROUND_STEPS_MAX)) {
      if (this.#stopping.signal.aborted) return false;
      try {
        if (await this.#follow(tenant)) isBehind = true;
      } catch (error) {
        failed = true;
        this.#events.failed(error);
        this.#yieldTurn(tenant);
      }
    }
    if (!failed) this.#events.succeeded();
    // After a failure there is a pause: PostgreSQL may refuse every step.
    return isBehind && !failed;
  }

  /** Reports how far behind the sums are. Resolves to the tenants that get a step, in the order of their turns. */
  async #look(): Promise<string[]> {
    const { stepEventsMax, lagMaxMs } = this.#options;
    const backlogs = new Map<string, number>();
    for (const { tenant, events } of await readBacklogs(this.#database)) backlogs.set(tenant, events);
    const now = performance.now();
    for (const tenant of this.#waitingSince.keys()) {
      if (!backlogs.has(tenant)) this.#waitingSince.delete(tenant);
    }
    for (const tenant of backlogs.keys()) {
      if (!this.#waitingSince.has(tenant)) this.#waitingSince.set(tenant, now);
    }
    let longestMs = 0;
    const due: string[] = [];
    for (const [tenant, since] of this.#waitingSince) {
      const waitedMs = now - since;
      longestMs = Math.max(longestMs, waitedMs);
      if (waitedMs >= lagMaxMs || (backlogs.get(tenant) ?? 0) >= stepEventsMax) due.push(tenant);
    }
    this.#events.lag(
      [...backlogs.values()].reduce((sum, events) => sum + events, 0),
      longestMs,
    );
    return due;
  }

  /** One step. Resolves to whether the tenant has more. */
  async #follow(tenant: string): Promise<boolean> {
    const step = await inTransaction(
      this.#database,
      tenant,
      (transaction) => followJournal(transaction, tenant, this.#options.stepEventsMax),
      () => undefined,
    );
    if (step !== undefined) this.#events.followed(step.events);
    if (step?.more === false) this.#waitingSince.delete(tenant);
    else this.#yieldTurn(tenant);
    return step?.more === true;
  }

  /** The tenant still waits, after all others. */
  #yieldTurn(tenant: string): void {
    const since = this.#waitingSince.get(tenant);
    this.#waitingSince.delete(tenant);
    if (since !== undefined) this.#waitingSince.set(tenant, since);
  }
}

/**
 * The tenants whose journal is further than their sums, and by how many events. A new tenant gets its cursor here. If
 * only the cursor is lost, Reconcile has to make the sums again: from 0 on, they would count everything twice.
 */
export async function readBacklogs({ em }: Database): Promise<Backlog[]> {
  const rows = await em.execute<{ tenant: string; events: string; hasCursor: boolean }[]>(
    `SELECT tenant, last_sequence - coalesce(sequence, 0) AS events, sequence IS NOT NULL AS "hasCursor"
     FROM journal_head LEFT JOIN usage_cursor USING (tenant) WHERE last_sequence > coalesce(sequence, 0)`,
  );
  const newTenants = rows.flatMap(({ tenant, hasCursor }) => (hasCursor ? [] : [tenant]));
  const withCursor = new Set(newTenants.length > 0 ? await insertCursors(em, newTenants) : []);
  return rows.flatMap(({ tenant, events, hasCursor }) =>
    hasCursor || withCursor.has(tenant) ? [{ tenant, events: Number(events) }] : [],
  );
}

/** The tenants that got a cursor. */
async function insertCursors(em: Database['em'], tenants: readonly string[]): Promise<string[]> {
  const rows = await em.execute<{ tenant: string }[]>(
    `INSERT INTO usage_cursor (tenant, sequence) SELECT tenant, 0 FROM unnest(:tenants::text[]) AS added (tenant)
     WHERE NOT EXISTS (SELECT FROM usage_rollup WHERE usage_rollup.tenant = added.tenant)
     ON CONFLICT DO NOTHING RETURNING tenant`,
    { tenants },
  );
  return rows.map(({ tenant }) => tenant);
}
