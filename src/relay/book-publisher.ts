/** Publishes books up to where they reach: from memory or the journal to the broker, and the cursor behind it. */

import type { Pool } from 'pg';

import { readJournal } from '../journal/journal.ts';
import { advanceCursor, type Backlog, type Lease, readBacklogs, setAside } from './store/relay-state.ts';
import type { Broker } from './broker.ts';
import { decodeCommittedEvents } from './committed-events.ts';
import { type EventFormat, type EventMessage, eventMessage } from './event-message.ts';
import type { Leadership } from './leadership.ts';
import { PublishError } from './publisher.ts';
import { RecentEvents } from './recent-events.ts';

/** Most books that one look at them returns. */
export const TENANTS_PER_ROUND_MAX = 100;

/** Bounds of publishing. */
export interface BookPublisherOptions {
  readonly format: EventFormat;
  /** Events that are read and published together; two such batches are in flight at most. */
  readonly batchSizeMax: number;
  /** Of events of this service's own processes that are kept in memory until they are published. */
  readonly recentBytesMax: number;
  /** How long an acknowledgement is waited for. */
  readonly ackTimeoutMs: number;
}

/** What is told of publishing. */
export interface BookPublisherEvents {
  published(events: number): void;
  setAside(tenant: string, sequence: bigint, reason: string): void;
}

/** Events that were sent together. */
interface Batch {
  readonly messages: readonly EventMessage[];
  /** Settles with the broker's answer. */
  readonly stored: Promise<void>;
}

/** For the relay that leads. */
export class BookPublisher {
  readonly #pool: Pool;
  readonly #leadership: Leadership;
  readonly #options: BookPublisherOptions;
  readonly #events: BookPublisherEvents;
  readonly #recent: RecentEvents;
  /** One behind a failure, so that the broker's refusal is that of a single event; doubles from there. */
  #batchSize: number;

  constructor(
    pool: Pool,
    leadership: Leadership,
    options: BookPublisherOptions,
    events: BookPublisherEvents,
  ) {
    this.#pool = pool;
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

  /** Goes on right behind what was published but not marked: by a former leader, or before a failure. */
  async catchUpWithStream(broker: Broker, lease: Lease): Promise<void> {
    const last = await broker.synchronise().catch((error: unknown) => {
      throw new PublishError('the stream does not tell its last message', { silent: true, cause: error });
    });
    if (last === undefined) return;
    for (const { tenant, publishedSequence } of await readBacklogs(this.#pool, TENANTS_PER_ROUND_MAX)) {
      if (last.sequence <= publishedSequence) continue;
      const [entry] = await readJournal(this.#pool, tenant, last.sequence - 1n, 1);
      if (entry?.charge.id !== last.id) continue;
      await advanceCursor(this.#pool, lease, tenant, last.sequence);
      this.#recent.forget(tenant, last.sequence);
    }
  }

  /**
   * Publishes one book up to where it reached when the round began, and reads and sends one batch
   * while the broker stores the one before; `stopping` ends it behind the batches in hand. False:
   * not to go on, because the lease is lost or the publisher has to be brought into step again.
   */
  async publish(
    broker: Broker,
    { tenant, publishedSequence, lastSequence }: Backlog,
    stopping: AbortSignal,
  ): Promise<boolean> {
    // What was committed a moment ago is on its way to the memory: the next round finds it there.
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
        if ((await this.#leadership.hold()) === undefined) return false;
        current = messages.length > 0 ? this.#send(broker, messages) : undefined;
        if (previous !== undefined && !(await this.#settle(tenant, previous))) return false;
        previous = current;
      } while (previous !== undefined);
      return broker.publisher.inStep;
    } finally {
      // What is still on its way must be decided before anybody looks at what the stream ends with.
      await Promise.allSettled([previous?.stored, current?.stored]);
    }
  }

  /** What comes behind `after`: from memory where it is there, else from the journal up to `until`. */
  #read(tenant: string, after: bigint, until: bigint): Promise<EventMessage[]> {
    const messages = this.#find(tenant, after, until);
    // Read ahead, a failure is met when the messages are used, or never; it must not end the process.
    messages.catch(() => undefined);
    return messages;
  }

  async #find(tenant: string, after: bigint, until: bigint): Promise<EventMessage[]> {
    const recent = this.#recent.behind(tenant, after, this.#batchSize);
    const careful = this.#batchSize < this.#options.batchSizeMax;
    if (recent.length > 0) return careful ? recent.slice(0, this.#batchSize) : recent;
    // Not further: a round that ended in the middle of a group would find nothing of it in memory, nor
    // would the next one, for as long as charges come.
    const limit = Math.min(this.#batchSize, Number(until - after));
    const entries = await readJournal(this.#pool, tenant, after, limit);
    if (entries.length === 0) throw new Error(`the book of ${tenant} has no entry behind ${after}`);
    return entries.map((entry) => eventMessage(entry, this.#options.format));
  }

  #send(broker: Broker, messages: readonly EventMessage[]): Batch {
    const stored = broker.publisher.publish(messages, this.#options.ackTimeoutMs);
    // Whoever settles the batch meets the failure; until then it must not end the process.
    stored.catch(() => undefined);
    return { messages, stored };
  }

  /** Waits for the broker and moves the cursor. False: the lease is lost, or an event was set aside. */
  async #settle(tenant: string, { messages, stored }: Batch): Promise<boolean> {
    const last = messages.at(-1);
    if (last === undefined) return true;
    try {
      await stored;
    } catch (error) {
      this.#batchSize = 1;
      if (!(error instanceof PublishError && error.permanent)) throw error;
      await setAside(this.#pool, tenant, last.sequence, error.message);
      this.#events.setAside(tenant, last.sequence, error.message);
      await this.#mark(tenant, last.sequence);
      return false;
    }
    this.#batchSize = Math.min(this.#batchSize * 2, this.#options.batchSizeMax);
    this.#events.published(messages.length);
    return this.#mark(tenant, last.sequence);
  }

  async #mark(tenant: string, sequence: bigint): Promise<boolean> {
    const { lease } = this.#leadership;
    if (lease === undefined || !(await advanceCursor(this.#pool, lease, tenant, sequence))) {
      this.#leadership.lose();
      return false;
    }
    this.#recent.forget(tenant, sequence);
    return true;
  }
}
