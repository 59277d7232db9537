/** Publishes journals to their end: from memory or from PostgreSQL to the broker; then the cursor moves. */

import type { EntityManager } from '@mikro-orm/postgresql';

import { type ChargeEvent, readChargeEvents } from '../charges/index.ts';
import {
  advanceCursor,
  type Backlog,
  insertDeadLetter,
  type Lease,
  readBacklogs,
} from './store/relay-state.ts';
import type { Broker } from './broker.ts';
import { decodeCommittedEvents } from './committed-events.ts';
import { type EventFormat, type EventMessage, eventMessage } from './event-message.ts';
import type { Leadership } from './leadership.ts';
import { PublishError } from './publisher.ts';
import { RecentEvents } from './recent-events.ts';

/** Journals of one round, at most. */
export const TENANTS_PER_ROUND_MAX = 100;

/** Bounds of publishing. */
export interface JournalPublisherOptions {
  readonly format: EventFormat;
  /** Events that are read and published together; two such batches are in flight at most. */
  readonly batchSizeMax: number;
  /** Bytes of events of this service's own processes that are kept in memory until they are published. */
  readonly recentBytesMax: number;
  /** How long an acknowledgement is waited for. */
  readonly ackTimeoutMs: number;
}

/** What the publisher reports. */
export interface JournalPublisherEvents {
  published(events: number): void;
  deadLetter(tenant: string, sequence: bigint, reason: string): void;
}

/** Events that were sent together. */
interface Batch {
  readonly messages: readonly EventMessage[];
  /** Settles with the broker's answer. */
  readonly stored: Promise<void>;
}

/** For the relay that leads. */
export class JournalPublisher {
  readonly #em: EntityManager;
  readonly #leadership: Leadership;
  readonly #options: JournalPublisherOptions;
  readonly #events: JournalPublisherEvents;
  readonly #recent: RecentEvents;
  /** One after a failure, so that a refusal of the broker is about a single event; then it doubles. */
  #batchSize: number;

  constructor(
    em: EntityManager,
    leadership: Leadership,
    options: JournalPublisherOptions,
    events: JournalPublisherEvents,
  ) {
    this.#em = em;
    this.#leadership = leadership;
    this.#options = options;
    this.#events = events;
    this.#recent = new RecentEvents(options.recentBytesMax);
    this.#batchSize = options.batchSizeMax;
  }

  /** Keeps events that were just committed (see `encodeCommittedEvents`), so that they need not be read. */
  keep(events: Buffer): void {
    this.#recent.add(decodeCommittedEvents(events));
  }

  /** Drops what was kept. */
  forgetAll(): void {
    this.#recent.clear();
  }

  /** Moves the cursors past what was published but not marked: by a former leader, or before a failure. */
  async catchUpWithStream(broker: Broker, lease: Lease): Promise<void> {
    const last = await broker.synchronize();
    if (last === undefined) return;
    for (const { tenant, publishedSequence } of await readBacklogs(this.#em, TENANTS_PER_ROUND_MAX)) {
      if (last.sequence <= publishedSequence) continue;
      const [event] = await this.#readEvents(tenant, last.sequence - 1n, 1);
      if (event?.id !== last.id) continue;
      await advanceCursor(this.#em, lease, tenant, last.sequence);
      this.#recent.forget(tenant, last.sequence);
    }
  }

  /**
   * Publishes one journal up to where it reached when the round began. It reads and sends one batch while
   * the broker stores the one before. `stopping` ends it after the batches in flight. False: the round must
   * end, because the lease is lost or the publisher has to be synchronized again.
   */
  async publish(
    broker: Broker,
    { tenant, publishedSequence, lastSequence }: Backlog,
    stopping: AbortSignal,
  ): Promise<boolean> {
    // What was committed just now is on its way to the memory: the next round finds it there.
    const inMemory = this.#recent.reach(tenant, publishedSequence);
    const until = inMemory > publishedSequence ? inMemory : lastSequence;
    let previous: Batch | undefined;
    let current: Batch | undefined;
    let reading: Promise<EventMessage[]> | undefined = this.#read(tenant, publishedSequence, until);
    try {
      do {
        const messages: EventMessage[] = (await reading) ?? [];
        const sent = messages.at(-1)?.sequence ?? until;
        reading = sent < until && !stopping.aborted ? this.#read(tenant, sent, until) : undefined;
        if ((await this.#leadership.acquire()) === undefined) return false;
        current = messages.length > 0 ? this.#send(broker, messages) : undefined;
        if (previous !== undefined && !(await this.#settle(tenant, previous))) return false;
        previous = current;
      } while (previous !== undefined);
      return broker.publisher.synchronized;
    } finally {
      // What is in flight must be decided before anybody reads what the stream ends with.
      await Promise.allSettled([previous?.stored, current?.stored]);
    }
  }

  /** What comes after `after`: from memory if it is there, else from the journal up to `until`. */
  #read(tenant: string, after: bigint, until: bigint): Promise<EventMessage[]> {
    const messages = this.#find(tenant, after, until);
    // The messages are read ahead. A failure is handled when they are used; it must not end the process.
    messages.catch(() => undefined);
    return messages;
  }

  async #find(tenant: string, after: bigint, until: bigint): Promise<EventMessage[]> {
    const recent = this.#recent.after(tenant, after, this.#batchSize);
    const isReduced = this.#batchSize < this.#options.batchSizeMax;
    if (recent.length > 0) return isReduced ? recent.slice(0, this.#batchSize) : recent;
    // Not beyond `until`: memory holds whole groups. After a round that ended in the middle of one, neither
    // this nor any later round would find its next event in memory, as long as charges come.
    const limit = Math.min(this.#batchSize, Number(until - after));
    const events = await this.#readEvents(tenant, after, limit);
    if (events.length === 0) throw new Error(`the journal of ${tenant} has no entry after ${after}`);
    return events.map((event) => eventMessage(event, this.#options.format));
  }

  #readEvents(tenant: string, after: bigint, limit: number): Promise<ChargeEvent[]> {
    // A fork for each read: an EntityManager keeps what it has loaded.
    return readChargeEvents(this.#em.fork(), tenant, after, limit);
  }

  #send(broker: Broker, messages: readonly EventMessage[]): Batch {
    const stored = broker.publisher.publish(messages, this.#options.ackTimeoutMs);
    // A failure is handled when the batch is settled; until then it must not end the process.
    stored.catch(() => undefined);
    return { messages, stored };
  }

  /**
   * Waits for the broker and moves the cursor. False: the lease is lost, an event became a dead letter, or the
   * batch was not stored for a reason that only a single event can tell.
   */
  async #settle(tenant: string, { messages, stored }: Batch): Promise<boolean> {
    const last = messages.at(-1);
    if (last === undefined) return true;
    try {
      await stored;
    } catch (error) {
      const wasSingle = this.#batchSize === 1;
      this.#batchSize = 1;
      if (!(error instanceof PublishError)) throw error;
      if (error.kind === 'conflict' && !wasSingle) return false;
      if (error.kind !== 'too large') throw error;
      await insertDeadLetter(this.#em, tenant, last.sequence, error.message);
      this.#events.deadLetter(tenant, last.sequence, error.message);
      await this.#mark(tenant, last.sequence);
      return false;
    }
    this.#batchSize = Math.min(this.#batchSize * 2, this.#options.batchSizeMax);
    this.#events.published(messages.length);
    return this.#mark(tenant, last.sequence);
  }

  async #mark(tenant: string, sequence: bigint): Promise<boolean> {
    const { lease } = this.#leadership;
    if (lease === undefined || !(await advanceCursor(this.#em, lease, tenant, sequence))) {
      this.#leadership.lose();
      return false;
    }
    this.#recent.forget(tenant, sequence);
    return true;
  }
}
