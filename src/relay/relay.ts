/**
 * Journal → JetStream. One relay leads among any number of replicas; it publishes each book in
 * order and moves its cursor after the broker's acknowledgement. At-least-once: after a crash in
 * between an event may be sent again, with the same message id.
 */

import { setTimeout as delay } from 'node:timers/promises';
import type { Pool } from 'pg';

import { type Backlog, readBacklogs } from './store/relay-state.ts';
import {
  BookPublisher,
  type BookPublisherEvents,
  type BookPublisherOptions,
  TENANTS_PER_ROUND_MAX,
} from './book-publisher.ts';
import type { Broker } from './broker.ts';
import { Leadership } from './leadership.ts';
import { PublishError } from './publisher.ts';

/** Bounds of the relay. */
export interface RelayOptions extends BookPublisherOptions {
  /** How often the journal is looked at when nobody wakes the relay. */
  readonly pollMs: number;
  /**
   * Bounds of the pause behind a round, in which more events join the next one. In between it is
   * {@link LINGER_FACTOR} times what the round took: a busy machine makes few large rounds.
   */
  readonly lingerMinMs: number;
  readonly lingerMaxMs: number;
  /** How long a term of leadership lasts without renewal. */
  readonly leaseTtlMs: number;
  /** Bounds of the pause after a failure, which doubles from the first to the second. */
  readonly backoffMinMs: number;
  readonly backoffMaxMs: number;
}

/** What the relay tells the outside. */
export interface RelayEvents extends BookPublisherEvents {
  connected(connected: boolean): void;
  leading(leading: boolean): void;
  /** A round failed; the next one starts after `retryInMs`. */
  failed(error: unknown, retryInMs: number): void;
}

/** A round costs a millisecond beside its events: the look at the books, the cursor, the acknowledgement. */
const LINGER_FACTOR = 3;

/** Whether every book has been published as far as it reached then. */
function reached(then: readonly Backlog[], now: readonly Backlog[]): boolean {
  const current = new Map(now.map((backlog) => [backlog.tenant, backlog.publishedSequence]));
  return then.every(({ tenant, lastSequence }) => (current.get(tenant) ?? lastSequence) >= lastSequence);
}

/** Follows the journal until it is stopped. Owns neither pool nor broker options. */
export class Relay {
  readonly #pool: Pool;
  readonly #openBroker: () => Promise<Broker>;
  readonly #options: RelayOptions;
  readonly #events: RelayEvents;
  readonly #leadership: Leadership;
  readonly #books: BookPublisher;
  #broker: Broker | undefined;
  /** The term in which the cursor was held against the stream. */
  #caughtUpEpoch: string | undefined;
  #stopping = new AbortController();
  #wake = Promise.withResolvers<void>();
  #running: Promise<void> | undefined;

  constructor(pool: Pool, openBroker: () => Promise<Broker>, options: RelayOptions, events: RelayEvents) {
    this.#pool = pool;
    this.#openBroker = openBroker;
    this.#options = options;
    this.#events = events;
    this.#leadership = new Leadership(pool, options.leaseTtlMs, (leading) => events.leading(leading));
    this.#books = new BookPublisher(pool, this.#leadership, options, events);
  }

  /** Begins; returns at once. */
  start(): void {
    this.#running ??= this.#run();
  }

  /** Something was committed: look now, not at the next poll. */
  notify(): void {
    this.#wake.resolve();
  }

  /** The same, with groups of events as `encodeCommittedEvents` made them: a help, never needed. */
  committed(events: readonly Buffer[]): void {
    const publishes = this.#broker !== undefined && this.#leadership.lease !== undefined;
    if (publishes) for (const group of events) this.#books.keep(group);
    this.notify();
  }

  /**
   * Waits until everything that was committed when it was called is published, at most `timeoutMs`.
   * True when it is; false at once while this relay is not the one that publishes.
   */
  async drain(timeoutMs: number): Promise<boolean> {
    const giveUpAt = performance.now() + timeoutMs;
    let waitingFor: readonly Backlog[] | undefined;
    for (;;) {
      this.notify();
      const backlogs = await readBacklogs(this.#pool, TENANTS_PER_ROUND_MAX).catch(() => undefined);
      waitingFor ??= backlogs;
      if (waitingFor !== undefined && backlogs !== undefined && reached(waitingFor, backlogs)) return true;
      const cannotPublish = this.#broker === undefined || this.#leadership.lease === undefined;
      if (cannotPublish || performance.now() > giveUpAt) return false;
      await delay(10);
    }
  }

  /** Stops after the batches in hand, gives the lease back and closes the connection. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.notify();
    await this.#running;
    await this.#leadership.release();
    await this.#closeBroker();
  }

  async #run(): Promise<void> {
    let backoffMs = this.#options.backoffMinMs;
    while (!this.#stopping.signal.aborted) {
      try {
        const startedAt = performance.now();
        const worked = await this.#round();
        backoffMs = this.#options.backoffMinMs;
        if (worked) await delay(this.#lingerMs(performance.now() - startedAt));
        else if (this.#leadership.lease !== undefined) await this.#pause(this.#options.pollMs);
        // Commits are the leader's business: a standby only looks whether there still is one.
        else await this.#sleep(this.#options.pollMs);
      } catch (error) {
        if (this.#stopping.signal.aborted) return;
        this.#events.failed(error, backoffMs);
        if (error instanceof PublishError && error.silent) await this.#closeBroker();
        await this.#sleep(backoffMs * (0.5 + Math.random() / 2));
        backoffMs = Math.min(backoffMs * 2, this.#options.backoffMaxMs);
      }
    }
  }

  #lingerMs(roundMs: number): number {
    const { lingerMinMs, lingerMaxMs } = this.#options;
    return Math.max(lingerMinMs, Math.min(roundMs * LINGER_FACTOR, lingerMaxMs));
  }

  /** One look at all books. True when there was something to publish. */
  async #round(): Promise<boolean> {
    const broker = await this.#connectedBroker();
    const lease = await this.#leadership.hold();
    if (lease === undefined) {
      this.#books.forgetAll();
      return false;
    }
    if (!broker.publisher.inStep || this.#caughtUpEpoch !== lease.epoch) {
      await this.#books.catchUpWithStream(broker, lease);
      this.#caughtUpEpoch = lease.epoch;
    }
    const backlogs = await readBacklogs(this.#pool, TENANTS_PER_ROUND_MAX);
    const { signal } = this.#stopping;
    for (const backlog of backlogs) {
      if (signal.aborted || !(await this.#books.publish(broker, backlog, signal))) break;
    }
    return backlogs.length > 0;
  }

  async #connectedBroker(): Promise<Broker> {
    if (this.#broker !== undefined) return this.#broker;
    const broker = await this.#openBroker();
    this.#broker = broker;
    this.#events.connected(true);
    void broker.closed.then(() => {
      if (this.#broker !== broker) return;
      this.#broker = undefined;
      this.#events.connected(false);
      this.notify();
    });
    return broker;
  }

  async #closeBroker(): Promise<void> {
    const broker = this.#broker;
    if (broker === undefined) return;
    this.#broker = undefined;
    this.#events.connected(false);
    await broker.close().catch(() => undefined);
  }

  async #sleep(timeoutMs: number): Promise<void> {
    await delay(timeoutMs, undefined, { signal: this.#stopping.signal }).catch(() => undefined);
  }

  async #pause(timeoutMs: number): Promise<void> {
    const timer = setTimeout(() => this.#wake.resolve(), timeoutMs);
    await this.#wake.promise;
    clearTimeout(timer);
    this.#wake = Promise.withResolvers();
  }
}
