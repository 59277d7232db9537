/**
 * The write path: concurrent submissions become groups, groups become statements, and each caller is
 * answered after COMMIT. A single caller never waits for others: a group is whatever has arrived by the
 * time a writer is free. A group is of one tenant, and tenants take turns.
 */

import type { Database } from '../../database/orm.ts';
import { type RetryOptions, type WaitingRequest, writeWithRetries } from '../../database/retry.ts';
import { classifySqlError } from '../../database/sql-errors.ts';
import { overloaded, ServiceError } from '../../errors/failure.ts';
import { isHeadMismatch } from '../../journal/index.ts';
import type { Prices } from '../../prices/index.ts';
import { KnownUserProfiles, type UnknownUserProfilesOf } from '../../tenants/index.ts';
import type { ChargeRequest, RecordResult } from '../charge.ts';
import type { ChargeEvent } from '../charge-event.ts';
import type { ChargeRow } from '../entity.ts';
import type { ChargeRecorder, RecordOptions } from '../ports.ts';
import { InsertCharges, type InsertMode, isRequestIdConflict } from './insert-charges.ts';
import { newCharge } from './charge-row.ts';
import { TenantQueue, type TenantQueueOptions, type Waiting } from './tenant-queue.ts';
import { type GroupOutcome, writeGroup } from './write-group.ts';

/** Bounds of the write path. */
export interface GroupWriterOptions extends RetryOptions, TenantQueueOptions {
  /**
   * Groups that are written at once, each on its own connection. One more connection is for a tenant of whom nothing is
   * being written.
   */
  readonly writers: number;
  /** What happens with charges of unknown and disabled user profiles. Asked for each group. */
  readonly unknownUserProfilesOf: UnknownUserProfilesOf;
}

/** What the write path tells the outside. */
export interface GroupWriterEvents {
  /** After COMMIT, before any caller is answered: the group's new events in the tenant's journal, in order. */
  readonly committed: (events: readonly ChargeEvent[]) => void;
  /** The results of a group, before they are answered. */
  readonly recorded: (results: readonly RecordResult[]) => void;
  /** After each attempt to write a group: its size, its whole duration, and its error if any. */
  readonly attempted: (charges: number, seconds: number, error: unknown) => void;
}

interface Submission extends WaitingRequest, Waiting {
  readonly charges: readonly ChargeRow[];
  readonly resolve: (results: RecordResult[]) => void;
}

/**
 * A conflict costs a whole statement. After one, so many groups without a replay are written with
 * `skipExisting` before new request ids are expected again.
 */
const CONFLICT_BACKOFF_GROUPS = 16;

/**
 * How often a group is written without the lock of the tenant. Who adds one price version after the other adds the next
 * one before a large group is written, however often that is tried. With the lock, nothing is archived and no user
 * profile is disabled either.
 */
const UNLOCKED_ATTEMPTS_MAX = 3;

/** Implements {@link ChargeRecorder} on a database that it does not own. */
export class GroupWriter implements ChargeRecorder {
  readonly #database: Database;
  readonly #prices: Prices;
  readonly #userProfiles: KnownUserProfiles;
  readonly #insert: InsertCharges;
  readonly #options: GroupWriterOptions;
  readonly #events: GroupWriterEvents;
  /** In charges. */
  readonly #queue: TenantQueue<Submission>;
  /** The tenants of the groups that are being written. */
  readonly #writing: string[] = [];
  #scheduled = false;
  /** How many more groups are written without the expectation that their request ids are new. */
  #conflictBackoff = 0;

  constructor(database: Database, prices: Prices, options: GroupWriterOptions, events: GroupWriterEvents) {
    this.#database = database;
    this.#prices = prices;
    this.#userProfiles = new KnownUserProfiles(database.em);
    this.#insert = new InsertCharges(database.orm);
    this.#options = options;
    this.#events = events;
    this.#queue = new TenantQueue(options, () => true);
  }

  /** Charges that wait for a writer. */
  get queuedCharges(): number {
    return this.#queue.size;
  }

  record(
    tenant: string,
    requests: readonly ChargeRequest[],
    { signal, admitted = false }: RecordOptions = {},
  ): Promise<RecordResult[]> {
    if (requests.length === 0) return Promise.resolve([]);
    const size = requests.length;
    const { queueSizeMax, retryAfterMs } = this.#options;
    if (!admitted && !this.#queue.admits(tenant, size)) {
      const limit = `${queueSizeMax.toLocaleString('en')} charges that wait to be written`;
      return Promise.reject(new ServiceError(overloaded('write_queue', limit, retryAfterMs)));
    }
    return new Promise((resolve, reject) => {
      const charges = requests.map((request) => newCharge(tenant, request));
      this.#queue.push({ tenant, size, charges, arrivedAt: performance.now(), signal, resolve, reject });
      this.#schedule();
    });
  }

  /** What arrives in the same turn of the event loop joins the first group. */
  #schedule(): void {
    if (this.#scheduled || this.#writing.length > this.#options.writers) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#startWriters();
    });
  }

  #startWriters(): void {
    while (this.#writing.length <= this.#options.writers) {
      const group = this.#takeGroup();
      const [first] = group;
      if (first === undefined) return;
      this.#writing.push(first.tenant);
      void this.#write(group).finally(() => {
        this.#writing.splice(this.#writing.indexOf(first.tenant), 1);
        this.#startWriters();
      });
    }
  }

  /** A flood of large groups of one tenant, or groups that wait for its lock, leave a connection to the others. */
  #takeGroup(): Submission[] {
    if (this.#writing.length < this.#options.writers) return this.#queue.takeGroup();
    return this.#queue.takeGroup((tenant) => !this.#writing.includes(tenant));
  }

  /** Never rejects. */
  #write(group: readonly Submission[]): Promise<void> {
    return writeWithRetries(group, this.#options, (waiting, mayBeStored) =>
      this.#attempt(waiting, mayBeStored).catch(async (error: unknown) => {
        if (waiting.length === 1 || classifySqlError(error) !== 'data') throw error;
        // One bad submission must not fail the others of its group.
        for (const submission of waiting) await this.#write([submission]);
      }),
    );
  }

  /** Writes the group in one transaction, then answers it. */
  async #attempt(group: readonly Submission[], mayBeStored: () => void): Promise<void> {
    const tenant = group[0]?.tenant ?? '';
    const charges = group.flatMap((submission) => submission.charges);
    const { results } = await this.#observed(charges.length, () =>
      this.#priceAndWrite(tenant, charges, mayBeStored),
    );
    this.#events.recorded(results);
    let next = 0;
    for (const { charges, resolve } of group) resolve(results.slice(next, (next += charges.length)));
  }

  async #observed(charges: number, write: () => Promise<GroupOutcome>): Promise<GroupOutcome> {
    const startedAt = performance.now();
    let failure: unknown;
    try {
      const outcome = await write();
      if (outcome.events.length > 0) this.#events.committed(outcome.events);
      return outcome;
    } catch (error) {
      failure = error;
      throw error;
    } finally {
      this.#events.attempted(charges, (performance.now() - startedAt) / 1000, failure);
    }
  }

  /**
   * Prices the group and writes it; again, if the tenant has got another price version, or charges of the group were
   * archived, or user profiles disabled or removed, in between.
   */
  async #priceAndWrite(
    tenant: string,
    charges: readonly ChargeRow[],
    mayBeStored: () => void,
  ): Promise<GroupOutcome> {
    for (let attempt = 1; ; attempt++) {
      const locked = attempt > UNLOCKED_ATTEMPTS_MAX;
      try {
        return await this.#writeGroup(tenant, charges, locked, mayBeStored);
      } catch (error) {
        if (locked) throw error;
        if (isRequestIdConflict(error)) continue;
        if (!isHeadMismatch(error)) throw error;
        this.#userProfiles.forget(tenant);
        await this.#prices.reload(tenant);
      }
    }
  }

  /** Expects new request ids, unless recent groups met existing ones: an import that is run again. */
  async #writeGroup(
    tenant: string,
    charges: readonly ChargeRow[],
    locked: boolean,
    mayBeStored: () => void,
  ): Promise<GroupOutcome> {
    const [prices, userProfiles] = [this.#prices, this.#userProfiles];
    const unknownUserProfiles = await this.#options.unknownUserProfilesOf(tenant);
    const write = (mode: InsertMode) => {
      const options = { mode, prices, userProfiles, unknownUserProfiles, locked };
      return writeGroup(this.#database, this.#insert, tenant, charges, options, mayBeStored);
    };
    if (this.#conflictBackoff === 0) {
      try {
        return await write('expectNew');
      } catch (error) {
        if (!isRequestIdConflict(error)) throw error;
      }
    }
    const outcome = await write('skipExisting');
    if (outcome.metExisting) this.#conflictBackoff = CONFLICT_BACKOFF_GROUPS;
    else if (this.#conflictBackoff > 0) this.#conflictBackoff--;
    return outcome;
  }
}
