/**
 * The write path: concurrent submissions become groups, groups become statements, and each caller
 * is answered after COMMIT. A lone caller never waits for company: a group is whatever has arrived
 * by the time a writer is free.
 */

import type { Pool, PoolClient } from 'pg';

import type { ChargeRequest, JournalEntry, RecordResult } from '../charge.ts';
import { overloaded, cancelled, databaseUnavailable, ServiceError } from '../../errors/failure.ts';
import type { ChargeRecorder, RecordOptions } from '../ports.ts';
import type { NewCharge } from './charge-row.ts';
import { isRequestIdConflict } from './insert-charges.ts';
import { retryWhileAway } from '../../database/retry.ts';
import { classifySqlError } from '../../database/sql-errors.ts';
import { withClient } from '../../database/with-client.ts';
import { type GroupOutcome, newCharge, writeGroup } from './write-group.ts';

/** Bounds of the write path. */
export interface GroupWriterOptions {
  /** Groups in flight at once, each on a connection of its own. */
  readonly writers: number;
  /** Charges in one statement; a larger submission is a group of its own. */
  readonly groupSizeMax: number;
  /**
   * Charges waiting for a writer; beyond it submissions are refused, except those that their caller
   * has admitted. So no more than this ever wait, and what such callers allow themselves on top.
   */
  readonly queueSizeMax: number;
  /** How long after its arrival a charge is tried again while PostgreSQL is away, whatever its group's age. */
  readonly retryForMs: number;
  /** What a refused caller is told. */
  readonly retryAfterMs: number;
}

/** What the write path tells the outside. */
export interface GroupWriterEvents {
  /** After COMMIT, before any caller is answered: the group's new entries of the tenant's book, in order. */
  readonly committed: (entries: readonly JournalEntry[]) => void;
  /** After each attempt to write a group: its size, its duration with all it took, and its error if any. */
  readonly attempted: (charges: number, seconds: number, error: unknown) => void;
}

interface Submission {
  readonly tenant: string;
  readonly charges: readonly NewCharge[];
  /** By `performance.now()`: what waited in the queue is not tried for as long again. */
  readonly arrivedAt: number;
  readonly signal: RecordOptions['signal'];
  readonly resolve: (results: RecordResult[]) => void;
  readonly reject: (error: unknown) => void;
}

/** A failed attempt costs a whole statement: after one, so many groups without a replay make up for it. */
const CAUTIOUS_GROUPS = 16;

/** Implements {@link ChargeRecorder} on a pool that it does not own. */
export class GroupWriter implements ChargeRecorder {
  readonly #pool: Pool;
  readonly #options: GroupWriterOptions;
  readonly #events: GroupWriterEvents;
  #queue: Submission[] = [];
  #queuedCharges = 0;
  #busyWriters = 0;
  #scheduled = false;
  /** How many more groups are written without expecting their request ids to be new. */
  #cautiousGroups = 0;

  constructor(pool: Pool, options: GroupWriterOptions, events: GroupWriterEvents) {
    this.#pool = pool;
    this.#options = options;
    this.#events = events;
  }

  /** Charges that wait for a writer. */
  get queuedCharges(): number {
    return this.#queuedCharges;
  }

  record(
    tenant: string,
    requests: readonly ChargeRequest[],
    { signal, admitted = false }: RecordOptions = {},
  ): Promise<RecordResult[]> {
    if (requests.length === 0) return Promise.resolve([]);
    const queuedAfter = this.#queuedCharges + requests.length;
    if (!admitted && this.#queuedCharges > 0 && queuedAfter > this.#options.queueSizeMax) {
      const { retryAfterMs } = this.#options;
      return Promise.reject(
        new ServiceError(
          overloaded(
            'write_queue',
            `${this.#options.queueSizeMax.toLocaleString('en')} charges that wait to be written`,
            retryAfterMs,
          ),
        ),
      );
    }
    return new Promise((resolve, reject) => {
      const charges = requests.map(newCharge);
      this.#queue.push({ tenant, charges, arrivedAt: performance.now(), signal, resolve, reject });
      this.#queuedCharges += charges.length;
      this.#schedule();
    });
  }

  /** Lets what arrives in the same turn of the event loop join the first group. */
  #schedule(): void {
    if (this.#scheduled || this.#busyWriters >= this.#options.writers) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#startWriters();
    });
  }

  #startWriters(): void {
    while (this.#busyWriters < this.#options.writers) {
      const group = this.#takeGroup();
      if (group.length === 0) return;
      this.#busyWriters++;
      void this.#write(group).finally(() => {
        this.#busyWriters--;
        this.#startWriters();
      });
    }
  }

  /** The oldest submission, and those behind it of the same tenant that fit. */
  #takeGroup(): Submission[] {
    const group: Submission[] = [];
    const rest: Submission[] = [];
    let size = 0;
    for (const [index, submission] of this.#queue.entries()) {
      if (size >= this.#options.groupSizeMax) {
        rest.push(...this.#queue.slice(index));
        break;
      }
      const { length } = submission.charges;
      if (submission.signal?.aborted) {
        this.#queuedCharges -= length;
        submission.reject(new ServiceError(cancelled()));
      } else if (
        size === 0 ||
        (submission.tenant === group[0]?.tenant && size + length <= this.#options.groupSizeMax)
      ) {
        group.push(submission);
        size += length;
      } else {
        rest.push(submission);
      }
    }
    this.#queue = rest;
    this.#queuedCharges -= size;
    return group;
  }

  async #write(group: readonly Submission[]): Promise<void> {
    let waiting = group;
    try {
      await retryWhileAway(
        () => this.#attempt(waiting),
        (error, nextAttemptAt) => {
          waiting = this.#giveUpBefore(nextAttemptAt, waiting, error);
          return waiting.length > 0;
        },
      );
    } catch (error) {
      if (waiting.length > 1 && classifySqlError(error) === 'data') {
        // One submission must not take its neighbours down with it.
        for (const submission of waiting) await this.#write([submission]);
        return;
      }
      for (const submission of waiting) submission.reject(error);
    }
  }

  /** Rejects those whose time will be over, and returns the others as they are: their ids may be stored already. */
  #giveUpBefore(nextAttemptAt: number, waiting: readonly Submission[], cause: unknown): Submission[] {
    const { retryForMs, retryAfterMs } = this.#options;
    return waiting.filter(({ arrivedAt, reject }) => {
      const staysOn = nextAttemptAt <= arrivedAt + retryForMs;
      if (!staysOn) reject(new ServiceError(databaseUnavailable(retryAfterMs), { cause }));
      return staysOn;
    });
  }

  /** Writes the group in one transaction, then answers it. */
  async #attempt(group: readonly Submission[]): Promise<void> {
    const tenant = group[0]?.tenant ?? '';
    const charges = group.flatMap((submission) => submission.charges);
    const { results } = await this.#observed(charges.length, () =>
      withClient(this.#pool, (client) => this.#writeGroup(client, tenant, charges)),
    );
    let next = 0;
    for (const { charges, resolve } of group) resolve(results.slice(next, (next += charges.length)));
  }

  async #observed(charges: number, write: () => Promise<GroupOutcome>): Promise<GroupOutcome> {
    const startedAt = performance.now();
    let failure: unknown;
    try {
      const outcome = await write();
      if (outcome.entries.length > 0) this.#events.committed(outcome.entries);
      return outcome;
    } catch (error) {
      failure = error;
      throw error;
    } finally {
      this.#events.attempted(charges, (performance.now() - startedAt) / 1000, failure);
    }
  }

  /** Expects new request ids, unless groups of late met existing ones: an import that is run again. */
  async #writeGroup(
    client: PoolClient,
    tenant: string,
    charges: readonly NewCharge[],
  ): Promise<GroupOutcome> {
    if (this.#cautiousGroups === 0) {
      try {
        return await writeGroup(client, tenant, charges, 'expectNew');
      } catch (error) {
        if (!isRequestIdConflict(error)) throw error;
      }
    }
    const outcome = await writeGroup(client, tenant, charges, 'skipExisting');
    if (outcome.metExisting) this.#cautiousGroups = CAUTIOUS_GROUPS;
    else if (this.#cautiousGroups > 0) this.#cautiousGroups--;
    return outcome;
  }
}
