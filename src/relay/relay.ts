/**
 * Journal → JetStream. One relay leads among any number of replicas; it publishes each book in
 * order and moves its cursor after the broker's acknowledgement. At-least-once: after a crash in
 * between, or with two relays for a moment, an event may be sent again, with the same message id.
 */

import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Pool } from 'pg';

import type { JournalEntry } from '../domain/charge.ts';
import { readJournal } from '../store/journal.ts';
import {
  acquireLease,
  advanceCursor,
  type Backlog,
  type Lease,
  readBacklogs,
  releaseLease,
  setAside,
} from '../store/relay-state.ts';
import type { Broker } from './broker.ts';
import { eventMessage, type EventFormat } from './event-message.ts';

/** Bounds of the relay. */
export interface RelayOptions {
  readonly format: EventFormat;
  /** Events in flight to the broker at once. */
  readonly batchSizeMax: number;
  /** How long acknowledgements are waited for. */
  readonly ackTimeoutMs: number;
  /** How often the journal is looked at when nobody wakes the relay. */
  readonly pollMs: number;
  /** What a round waits after it for more events to join the next one. */
  readonly lingerMs: number;
  /** How long a term of leadership lasts without renewal. */
  readonly leaseTtlMs: number;
  /** Bounds of the pause after a failure, which doubles from the first to the second. */
  readonly backoffMinMs: number;
  readonly backoffMaxMs: number;
}

/** What the relay tells the outside. */
export interface RelayEvents {
  connected(connected: boolean): void;
  leading(leading: boolean): void;
  published(events: number): void;
  setAside(tenant: string, sequence: bigint, reason: string): void;
  /** A round failed; the next one starts after `retryInMs`. */
  failed(error: unknown, retryInMs: number): void;
}

const TENANTS_PER_ROUND_MAX = 100;

/** The broker did not answer: whatever the state of the connection, a new one is better. */
class BrokerSilence extends Error {}

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
  readonly #holder = randomUUID();
  #broker: Broker | undefined;
  #lease: Lease | undefined;
  #leaseEndsAt = 0;
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
  }

  /** Begins; returns at once. */
  start(): void {
    this.#running ??= this.#run();
  }

  /** Something was committed: look now, not at the next poll. */
  notify(): void {
    this.#wake.resolve();
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
      const cannotPublish = this.#broker === undefined || this.#lease === undefined;
      if (cannotPublish || performance.now() > giveUpAt) return false;
      await delay(10);
    }
  }

  /** Stops after the batch in hand, gives the lease back and closes the connection. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.notify();
    await this.#running;
    if (this.#lease !== undefined) await releaseLease(this.#pool, this.#lease).catch(() => undefined);
    await this.#closeBroker();
  }

  async #run(): Promise<void> {
    let backoffMs = this.#options.backoffMinMs;
    while (!this.#stopping.signal.aborted) {
      try {
        const worked = await this.#round();
        backoffMs = this.#options.backoffMinMs;
        // A commit every millisecond must not make a round every millisecond.
        if (worked) await delay(this.#options.lingerMs);
        else if (this.#lease !== undefined) await this.#pause(this.#options.pollMs);
        // Commits are the leader's business: a standby only looks whether there still is one.
        else await this.#sleep(this.#options.pollMs);
      } catch (error) {
        if (this.#stopping.signal.aborted) return;
        this.#events.failed(error, backoffMs);
        if (error instanceof BrokerSilence) await this.#closeBroker();
        await this.#sleep(backoffMs * (0.5 + Math.random() / 2));
        backoffMs = Math.min(backoffMs * 2, this.#options.backoffMaxMs);
      }
    }
  }

  /** One look at all books. True when there was something to publish. */
  async #round(): Promise<boolean> {
    const broker = await this.#connectedBroker();
    if (!(await this.#holdLease(broker))) return false;
    const backlogs = await readBacklogs(this.#pool, TENANTS_PER_ROUND_MAX);
    for (const backlog of backlogs) {
      if (this.#stopping.signal.aborted) break;
      await this.#publishBook(broker, backlog);
    }
    return backlogs.length > 0;
  }

  async #connectedBroker(): Promise<Broker> {
    if (this.#broker !== undefined) return this.#broker;
    const broker = await this.#openBroker();
    this.#broker = broker;
    // What was sent over the connection before may be stored although nobody heard of it.
    this.#caughtUpEpoch = undefined;
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

  /** Renews in good time; a relay that was stopped past its term finds out here, before it publishes. */
  async #holdLease(broker: Broker): Promise<boolean> {
    const now = performance.now();
    const { leaseTtlMs } = this.#options;
    const renewAt = this.#leaseEndsAt - (leaseTtlMs * 2) / 3;
    if (this.#lease !== undefined && this.#caughtUpEpoch === this.#lease.epoch && now < renewAt) return true;
    const former = this.#lease;
    this.#lease = await acquireLease(this.#pool, this.#holder, leaseTtlMs);
    this.#leaseEndsAt = now + leaseTtlMs;
    if (this.#lease === undefined) {
      if (former !== undefined) this.#events.leading(false);
      return false;
    }
    if (former?.epoch !== this.#lease.epoch) this.#events.leading(true);
    if (this.#caughtUpEpoch !== this.#lease.epoch) {
      await this.#catchUpWithStream(broker, this.#lease);
      this.#caughtUpEpoch = this.#lease.epoch;
    }
    return true;
  }

  /** Goes on right behind what a former leader had published but not marked. */
  async #catchUpWithStream(broker: Broker, lease: Lease): Promise<void> {
    const last = await broker.lastAnnounced().catch((error: unknown) => {
      throw new BrokerSilence('NATS JetStream does not tell its last message', { cause: error });
    });
    if (last === undefined) return;
    for (const { tenant, publishedSequence } of await readBacklogs(this.#pool, TENANTS_PER_ROUND_MAX)) {
      if (last.sequence <= publishedSequence) continue;
      const [entry] = await readJournal(this.#pool, tenant, last.sequence - 1n, 1);
      if (entry?.charge.id === last.id) await advanceCursor(this.#pool, lease, tenant, last.sequence);
    }
  }

  /** Publishes one book up to where it reached when the round began, reading ahead of the broker. */
  async #publishBook(broker: Broker, { tenant, publishedSequence, lastSequence }: Backlog): Promise<void> {
    let after = publishedSequence;
    let next = this.#read(tenant, after);
    while (after < lastSequence && !this.#stopping.signal.aborted) {
      const entries = await next;
      const last = entries.at(-1);
      if (last === undefined) throw new Error(`the book of ${tenant} has no entry behind ${after}`);
      if (!(await this.#holdLease(broker)) || this.#lease === undefined) return;
      if (last.sequence < lastSequence) next = this.#read(tenant, last.sequence);
      const publishedTo = await this.#publish(broker, tenant, entries);
      if (!(await advanceCursor(this.#pool, this.#lease, tenant, publishedTo))) return this.#loseLease();
      after = publishedTo;
      if (after < last.sequence) next = this.#read(tenant, after);
    }
  }

  #read(tenant: string, after: bigint): Promise<JournalEntry[]> {
    const entries = readJournal(this.#pool, tenant, after, this.#options.batchSizeMax);
    // Read ahead, a failure is met when the entries are used, or never; it must not end the process.
    entries.catch(() => undefined);
    return entries;
  }

  /** Publishes the entries and returns how far that got; throws when it got nowhere. */
  async #publish(broker: Broker, tenant: string, entries: readonly JournalEntry[]): Promise<bigint> {
    const messages = entries.map((entry) => eventMessage(entry, this.#options.format));
    const { acknowledged, failure } = await broker.publisher.publish(messages, this.#options.ackTimeoutMs);
    if (acknowledged > 0) this.#events.published(acknowledged);
    const refused = entries[acknowledged];
    if (failure !== undefined && refused !== undefined && failure.permanent) {
      await setAside(this.#pool, tenant, refused.sequence, failure.reason);
      this.#events.setAside(tenant, refused.sequence, failure.reason);
      return refused.sequence;
    }
    const lastAcknowledged = entries[acknowledged - 1];
    if (lastAcknowledged === undefined) {
      const reason = `NATS JetStream: ${failure?.reason ?? 'nothing to publish'}`;
      throw failure?.silent ? new BrokerSilence(reason) : new Error(reason);
    }
    return lastAcknowledged.sequence;
  }

  #loseLease(): void {
    this.#lease = undefined;
    this.#events.leading(false);
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
