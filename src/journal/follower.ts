/**
 * Tells waiting readers that a book has grown: at once for commits of this process, by polling for
 * those of others. (NOTIFY would take a database-wide lock at every commit.)
 */

import type { Pool } from 'pg';

import type { JournalEntry } from '../charges/charge.ts';
import type { BookReader } from '../charges/ports.ts';
import { lastSequence, lastSequences, readJournal } from './journal.ts';
import type { ReadConnections } from '../database/read-connections.ts';

/** How the follower waits. */
export interface BookFollowerOptions {
  /** How often other processes' commits are looked for while anyone waits. */
  readonly pollMs: number;
}

interface Waiter {
  readonly tenant: string;
  readonly afterSequence: bigint;
  readonly wake: () => void;
}

/** Implements {@link BookReader} on connections that it does not own; `close()` wakes everyone. */
export class BookFollower implements BookReader {
  readonly #connections: ReadConnections;
  readonly #lookPool: Pool;
  readonly #options: BookFollowerOptions;
  readonly #waiters = new Set<Waiter>();
  /** As far as each book is known to reach: a commit may come between a reader's look and its wait. */
  readonly #known = new Map<string, bigint>();
  /** Behind which place each reader was last sent to read again without waiting, by its signal. */
  readonly #sentBack = new WeakMap<AbortSignal, bigint>();
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  /**
   * Reads of callers go over `connections`, which may all be in use; `lookPool` is asked for one
   * connection at a time, and nobody else may keep it for long.
   */
  constructor(connections: ReadConnections, lookPool: Pool, options: BookFollowerOptions) {
    this.#connections = connections;
    this.#lookPool = lookPool;
    this.#options = options;
  }

  lastSequence(tenant: string): Promise<bigint> {
    return this.#connections.use((client) => lastSequence(client, tenant));
  }

  read(tenant: string, afterSequence: bigint, limit: number): Promise<JournalEntry[]> {
    return this.#connections.use((client) => readJournal(client, tenant, afterSequence, limit));
  }

  /** The writer of this process committed up to here. */
  advanced(tenant: string, sequence: bigint): void {
    if (sequence > (this.#known.get(tenant) ?? 0n)) this.#known.set(tenant, sequence);
    for (const waiter of this.#waiters) {
      if (waiter.tenant === tenant && waiter.afterSequence < sequence) waiter.wake();
    }
  }

  waitForMore(tenant: string, afterSequence: bigint, signal: AbortSignal): Promise<void> {
    if (this.#closed || signal.aborted) return Promise.resolve();
    // Nothing that was committed after the caller's read is missed. A commit of this process is in #known
    // by now, or comes to `advanced` when the waiter is there; any other one has moved the book's last
    // number, which the next look compares with the waiter's.
    if ((this.#known.get(tenant) ?? 0n) > afterSequence && this.#sentBack.get(signal) !== afterSequence) {
      // Once only: were the book to end earlier after all (a restored backup), the caller would spin.
      this.#sentBack.set(signal, afterSequence);
      return Promise.resolve();
    }
    return new Promise((resolve) => {
      const waiter: Waiter = {
        tenant,
        afterSequence,
        wake: () => {
          this.#waiters.delete(waiter);
          signal.removeEventListener('abort', waiter.wake);
          resolve();
        },
      };
      signal.addEventListener('abort', waiter.wake);
      this.#waiters.add(waiter);
      this.#poll();
    });
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    for (const waiter of this.#waiters) waiter.wake();
  }

  #poll(): void {
    if (this.#timer !== undefined || this.#closed || this.#waiters.size === 0) return;
    this.#timer = setTimeout(() => {
      void this.#look().finally(() => {
        this.#timer = undefined;
        this.#poll();
      });
    }, this.#options.pollMs);
    this.#timer.unref();
  }

  async #look(): Promise<void> {
    try {
      for (const [tenant, sequence] of await lastSequences(this.#lookPool)) this.advanced(tenant, sequence);
    } catch {
      // PostgreSQL is away: readers meet the same failure when they read, and they report it.
      for (const waiter of this.#waiters) waiter.wake();
    }
  }
}
