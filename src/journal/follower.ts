/**
 * Wakes waiting readers when a journal has grown: at once for commits of this process, by polling for
 * those of others. (NOTIFY would take a database-wide lock at every commit.)
 */

import type { Database } from '../database/orm.ts';
import { lastSequences } from './read.ts';

/** How the follower waits. */
export interface JournalFollowerOptions {
  /** How often it polls for commits of other processes while anyone waits. */
  readonly pollMs: number;
}

interface Waiter {
  readonly afterSequence: bigint;
  readonly wake: () => void;
}

/** `close()` wakes everyone. */
export class JournalFollower {
  readonly #database: Database;
  readonly #options: JournalFollowerOptions;
  /** By tenant. A tenant without a waiter is not polled for. */
  readonly #waiters = new Map<string, Set<Waiter>>();
  /** The last number of each journal that is known: a commit may come between a reader's read and its wait. */
  readonly #known = new Map<string, bigint>();
  /** The number after which each reader was last told to read again at once, by its signal. */
  readonly #toldToRead = new WeakMap<AbortSignal, bigint>();
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  /**
   * Polls on `database`, which it does not own and whose sessions see every tenant. It takes one connection at a time, and nobody else may
   * keep that one for long: every reader of this process waits for it.
   */
  constructor(database: Database, options: JournalFollowerOptions) {
    this.#database = database;
    this.#options = options;
  }

  /** The writer of this process committed up to here. */
  advanced(tenant: string, sequence: bigint): void {
    if (sequence > (this.#known.get(tenant) ?? 0n)) this.#known.set(tenant, sequence);
    for (const waiter of this.#waiters.get(tenant) ?? []) {
      if (waiter.afterSequence < sequence) waiter.wake();
    }
  }

  /**
   * Resolves when the journal has an entry after `afterSequence`: at once if it already has one, if
   * `signal` is aborted, or if PostgreSQL does not answer. Each reader passes a signal of its own. Never
   * rejects: the caller reads again.
   *
   * Nothing that was committed after the caller's read is missed. A commit of this process is in #known
   * by now, or calls `advanced` when the waiter is there. Any other commit has moved the journal's last
   * number, which the next poll compares with the waiter's.
   */
  waitForMore(tenant: string, afterSequence: bigint, signal: AbortSignal): Promise<void> {
    if (this.#closed || signal.aborted) return Promise.resolve();
    if ((this.#known.get(tenant) ?? 0n) > afterSequence && this.#toldToRead.get(signal) !== afterSequence) {
      // Only once: if the journal ends earlier after all (a restored backup), the caller would spin.
      this.#toldToRead.set(signal, afterSequence);
      return Promise.resolve();
    }
    return new Promise((resolve) => {
      const waiters = this.#waiters.get(tenant) ?? new Set();
      const waiter: Waiter = {
        afterSequence,
        wake: () => {
          waiters.delete(waiter);
          if (waiters.size === 0) this.#waiters.delete(tenant);
          signal.removeEventListener('abort', waiter.wake);
          resolve();
        },
      };
      signal.addEventListener('abort', waiter.wake);
      this.#waiters.set(tenant, waiters.add(waiter));
      this.#schedulePoll();
    });
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#wakeAll();
  }

  #wakeAll(): void {
    for (const waiters of this.#waiters.values()) for (const waiter of waiters) waiter.wake();
  }

  #schedulePoll(): void {
    if (this.#timer !== undefined || this.#closed || this.#waiters.size === 0) return;
    this.#timer = setTimeout(() => {
      void this.#poll().finally(() => {
        this.#timer = undefined;
        this.#schedulePoll();
      });
    }, this.#options.pollMs);
    this.#timer.unref();
  }

  async #poll(): Promise<void> {
    try {
      const last = await lastSequences(this.#database.em.fork(), [...this.#waiters.keys()]);
      for (const [tenant, sequence] of last) this.advanced(tenant, sequence);
    } catch {
      // PostgreSQL is away: readers meet the same failure when they read, and they report it.
      this.#wakeAll();
    }
  }
}
