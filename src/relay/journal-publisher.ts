/** Publishes journals: from memory or from PostgreSQL to the broker; then their cursors move. */

import type { EntityManager } from '@mikro-orm/postgresql';

import { type JournalEvent, readChargeEvents } from '../charges/index.ts';
import { advanceCursors, type Backlog, insertDeadLetter } from './store/relay-state.ts';
import type { Broker } from './broker.ts';
import { decodeCommittedEvents } from './committed-events.ts';
import { type EventFormat, type EventMessage, eventMessage } from './event-message.ts';
import type { Leadership } from './leadership.ts';
import { PublishError } from './publisher.ts';
import { RecentEvents } from './recent-events.ts';

/** Bounds of publishing. */
export interface JournalPublisherOptions {
  readonly format: EventFormat;
  /** Events that are read and published together; two such batches are in flight at most. */
  readonly batchSizeMax: number;
  /** Events of one round. Each journal with a backlog has the same share of them. */
  readonly roundSizeMax: number;
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

/** How a round ended. `interrupted`: the lease is lost or the publisher has to be synchronized again. */
export type RoundEnd = 'complete' | 'shares used' | 'interrupted';

/** A journal in a round. */
interface Journal {
  readonly tenant: string;
  /** The number of the last event that was put into a batch. */
  sent: bigint;
  /** The number of the last event of the round. */
  readonly until: bigint;
  /** Whether there are more, and this is only its share. */
  readonly isShare: boolean;
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
  /** Tenants whose cursor is known to be where the stream is. */
  readonly #compared = new Set<string>();
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

  /** Keeps events that were just committed, so that they need not be read, and returns whose they are. */
  keep(group: Buffer): string {
    const events = decodeCommittedEvents(group);
    this.#recent.add(events);
    return events.tenant;
  }

  /** Drops what was kept. */
  forgetAll(): void {
    this.#recent.clear();
  }

  /** Before the first round of a term, and after a round that was interrupted. */
  async synchronize(broker: Broker): Promise<void> {
    await broker.synchronize();
    this.#compared.clear();
  }

  /**
   * A round: publishes each journal up to its share, or to where it reached when the round began; short ones first.
   * It reads and sends one batch while the broker stores the one before. `stopping` ends it after the batches in flight.
   */
  async publish(broker: Broker, backlogs: readonly Backlog[], stopping: AbortSignal): Promise<RoundEnd> {
    const journals = this.#journalsOf(await this.#catchUpWithStream(broker, backlogs));
    let previous: Batch | undefined;
    let current: Batch | undefined;
    let reading: Promise<EventMessage[]> | undefined = this.#readAhead(journals);
    try {
      do {
        const messages: EventMessage[] = (await reading) ?? [];
        reading = messages.length > 0 && !stopping.aborted ? this.#readAhead(journals) : undefined;
        if ((await this.#leadership.acquire()) === undefined) return 'interrupted';
        current = messages.length > 0 ? this.#send(broker, messages) : undefined;
        if (previous !== undefined && !(await this.#settle(previous))) return 'interrupted';
        previous = current;
      } while (previous !== undefined);
      if (!broker.publisher.synchronized) return 'interrupted';
      return journals.some(({ isShare }) => isShare) ? 'shares used' : 'complete';
    } finally {
      // What is in flight must be decided before anybody reads what the stream ends with.
      await Promise.allSettled([previous?.stored, current?.stored]);
    }
  }

  /** Moves the cursors past what was published but not marked: by a former leader, or before a failure. */
  async #catchUpWithStream(broker: Broker, backlogs: readonly Backlog[]): Promise<readonly Backlog[]> {
    const unknown = backlogs.filter(({ tenant }) => !this.#compared.has(tenant));
    const compared = await Promise.all(unknown.map((backlog) => this.#findPublished(broker, backlog)));
    const published = new Map(compared.filter((one) => one !== undefined));
    if (published.size > 0 && !(await this.#mark(published))) return [];
    for (const { tenant } of unknown) this.#compared.add(tenant);
    return backlogs
      .map((backlog) => ({
        ...backlog,
        publishedSequence: published.get(backlog.tenant) ?? backlog.publishedSequence,
      }))
      .filter(({ publishedSequence, lastSequence }) => publishedSequence < lastSequence);
  }

  /** The tenant and the number of its last event in the stream, if its cursor does not know it. */
  async #findPublished(
    broker: Broker,
    { tenant, publishedSequence }: Backlog,
  ): Promise<[tenant: string, sequence: bigint] | undefined> {
    const last = await broker.lastPublished(tenant);
    if (last === undefined || last.sequence <= publishedSequence) return undefined;
    const [event] = await this.#readEvents(tenant, last.sequence - 1n, 1);
    return event?.id === last.id ? [tenant, last.sequence] : undefined;
  }

  #journalsOf(backlogs: readonly Backlog[]): Journal[] {
    const share = BigInt(Math.ceil(this.#options.roundSizeMax / Math.max(1, backlogs.length)));
    const journals = backlogs.map(({ tenant, publishedSequence, lastSequence }): Journal => {
      // What was committed just now is on its way to the memory: the next round finds it there.
      const inMemory = this.#recent.reach(tenant, publishedSequence);
      const end = inMemory > publishedSequence ? inMemory : lastSequence;
      const isShare = end - publishedSequence > share;
      return { tenant, sent: publishedSequence, until: isShare ? publishedSequence + share : end, isShare };
    });
    return journals.sort((a, b) => Number(a.until - a.sent - (b.until - b.sent)));
  }

  /** The next batch; empty at the end of the round. */
  #readAhead(journals: readonly Journal[]): Promise<EventMessage[]> {
    const messages = this.#read(journals);
    // The messages are read ahead. A failure is handled when they are used; it must not end the process.
    messages.catch(() => undefined);
    return messages;
  }

  async #read(journals: readonly Journal[]): Promise<EventMessage[]> {
    const messages: EventMessage[] = [];
    for (const journal of journals) {
      while (journal.sent < journal.until && messages.length < this.#batchSize) {
        const found = await this.#find(journal, this.#batchSize - messages.length);
        messages.push(...found);
        journal.sent += BigInt(found.length);
      }
    }
    return messages;
  }

  /** What comes next in a journal, about `room` events: from memory if it is there, else from PostgreSQL. */
  async #find({ tenant, sent, until }: Journal, room: number): Promise<EventMessage[]> {
    const left = Number(until - sent);
    const recent = this.#recent.after(tenant, sent, room);
    const isReduced = this.#batchSize < this.#options.batchSizeMax;
    if (recent.length > 0) return recent.slice(0, isReduced ? Math.min(room, left) : left);
    const events = await this.#readEvents(tenant, sent, Math.min(room, left));
    if (events.length === 0) throw new Error(`the journal of ${tenant} has no entry after ${sent}`);
    return events.map((event) => eventMessage(event, this.#options.format));
  }

  #readEvents(tenant: string, after: bigint, limit: number): Promise<JournalEvent[]> {
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
   * Waits for the broker and moves the cursors. False: the lease is lost, an event became a dead letter, or the
   * batch was not stored for a reason that only a single event can tell.
   */
  async #settle({ messages, stored }: Batch): Promise<boolean> {
    const published = new Map<string, bigint>();
    for (const { tenant, sequence } of messages) published.set(tenant, sequence);
    try {
      await stored;
    } catch (error) {
      const wasSingle = this.#batchSize === 1;
      this.#batchSize = 1;
      if (!(error instanceof PublishError)) throw error;
      if (error.kind === 'conflict' && !wasSingle) return false;
      if (error.kind !== 'too large') throw error;
      for (const [tenant, sequence] of published) {
        await insertDeadLetter(this.#em, tenant, sequence, error.message);
        this.#events.deadLetter(tenant, sequence, error.message);
      }
      await this.#mark(published);
      return false;
    }
    this.#batchSize = Math.min(this.#batchSize * 2, this.#options.batchSizeMax);
    this.#events.published(messages.length);
    return this.#mark(published);
  }

  /** `published`: the number of the last event of each tenant. False: the lease is lost. */
  async #mark(published: ReadonlyMap<string, bigint>): Promise<boolean> {
    const { lease } = this.#leadership;
    if (lease === undefined || !(await advanceCursors(this.#em, lease, published))) {
      this.#leadership.lose();
      return false;
    }
    for (const [tenant, sequence] of published) this.#recent.forget(tenant, sequence);
    return true;
  }
}
