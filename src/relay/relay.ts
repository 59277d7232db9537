/**
 * Journals → JetStream. One relay leads among any number of replicas. It publishes each journal in order and
 * moves its cursor after the broker's acknowledgement. At-least-once: after a crash in between, an event
 * may be sent again, with the same message id.
 */

import { setTimeout as delay } from 'node:timers/promises';

import type { EntityManager } from '@mikro-orm/postgresql';

import { errorText } from '../errors/describe-error.ts';
import { retryForever } from '../errors/retry-forever.ts';
import { type Backlog, readBacklogs } from './store/relay-state.ts';
import { BacklogPoll } from './backlog-poll.ts';
import {
  JournalPublisher,
  type JournalPublisherEvents,
  type JournalPublisherOptions,
  type RoundEnd,
} from './journal-publisher.ts';
import type { Broker } from './broker.ts';
import { Leadership } from './leadership.ts';
import { PublishError } from './publisher.ts';
import { StreamConnection, type StreamConnectionEvents } from './stream-connection.ts';

/** Bounds of the relay. */
export interface RelayOptions extends JournalPublisherOptions {
  /** How often the relay polls all journals. It polls those that it is told of at once. */
  readonly pollMs: number;
  /**
   * Bounds of the pause after a round, in which more events join the next one. Between the bounds it is
   * {@link LINGER_FACTOR} times the duration of the round: a busy machine makes few large rounds.
   */
  readonly lingerMinMs: number;
  readonly lingerMaxMs: number;
  /** How often the settings of the stream are checked while all is well. */
  readonly streamCheckMs: number;
  /** How long a term of leadership lasts without renewal. */
  readonly leaseTtlMs: number;
  /** Bounds of the pause after a failure. It doubles with each failure and varies at random. */
  readonly backoffMinMs: number;
  readonly backoffMaxMs: number;
}

/** Whether an event that is committed now reaches the stream; if not, why, in words for operators. */
export type Publishing =
  { readonly publishing: true } | { readonly publishing: false; readonly reason: string };

/** What the relay reports. */
export interface RelayEvents extends JournalPublisherEvents, StreamConnectionEvents {
  leading(leading: boolean): void;
  /** Whether events reach the stream, or the reason why not, has changed. */
  publishing(state: Publishing): void;
  /** A round failed; it will be tried again. */
  failed(error: unknown): void;
}

/** A round costs a millisecond besides its events: the poll, the cursor, the acknowledgement. */
const LINGER_FACTOR = 3;
/** More tenants than any deployment has. */
const TENANTS_MAX = 1_000_000;

/** Whether every journal is published as far as it reached then. */
function reached(then: readonly Backlog[], now: readonly Backlog[]): boolean {
  const current = new Map(now.map((backlog) => [backlog.tenant, backlog.publishedSequence]));
  return then.every(({ tenant, lastSequence }) => (current.get(tenant) ?? lastSequence) >= lastSequence);
}

/** Publishes the journals until it is stopped. Does not own the database. */
export class Relay {
  readonly #em: EntityManager;
  readonly #connection: StreamConnection;
  readonly #options: RelayOptions;
  readonly #events: RelayEvents;
  readonly #leadership: Leadership;
  readonly #poll: BacklogPoll;
  readonly #journals: JournalPublisher;
  #publishing: Publishing = { publishing: false, reason: 'not connected yet' };
  /** The term in which it was asked what the stream ends with. */
  #synchronizedEpoch: bigint | undefined;
  #stopping = new AbortController();
  #wake = Promise.withResolvers<void>();
  #running: Promise<void> | undefined;

  constructor(
    em: EntityManager,
    openBroker: () => Promise<Broker>,
    options: RelayOptions,
    events: RelayEvents,
  ) {
    this.#em = em;
    this.#connection = new StreamConnection(openBroker, options.streamCheckMs, {
      streamWarning: (warning) => events.streamWarning(warning),
      connected: (connected) => {
        events.connected(connected);
        if (connected || this.#stopping.signal.aborted) return;
        // Else a reason is known already.
        if (this.#publishing.publishing) this.#setPublishing('the connection to NATS was lost');
        this.notify();
      },
    });
    this.#options = options;
    this.#events = events;
    this.#leadership = new Leadership(em, options.leaseTtlMs, (leading) => events.leading(leading));
    this.#poll = new BacklogPoll(em, options.pollMs);
    this.#journals = new JournalPublisher(em, this.#leadership, options, events);
  }

  /** Starts; returns at once. */
  start(): void {
    // It ends only by `stop()`, which rejects whatever it waits for.
    this.#running ??= this.#run().catch(() => undefined);
  }

  /** Something was committed: poll all journals now. */
  notify(): void {
    this.#poll.nameAll();
    this.#wake.resolve();
  }

  /**
   * Groups of events from `encodeCommittedEvents` were committed: poll their journals. They need not be read. None:
   * something was committed.
   */
  committed(groups: readonly Buffer[]): void {
    if (groups.length === 0) return this.notify();
    if (!this.#connection.isOpen || this.#leadership.lease === undefined) return;
    for (const group of groups) this.#poll.name(this.#journals.keep(group));
    this.#wake.resolve();
  }

  /**
   * Waits until everything that was committed before the call is published, at most `timeoutMs`. True if
   * it is; false at once if this relay cannot publish, or is not the one that does.
   */
  async drain(timeoutMs: number): Promise<boolean> {
    const giveUpAt = performance.now() + timeoutMs;
    let waitingFor: readonly Backlog[] | undefined;
    for (;;) {
      this.notify();
      const backlogs = await readBacklogs(this.#em, { limit: TENANTS_MAX }).catch(() => undefined);
      waitingFor ??= backlogs;
      if (waitingFor !== undefined && backlogs !== undefined && reached(waitingFor, backlogs)) return true;
      const canPublish = this.#publishing.publishing && this.#leadership.lease !== undefined;
      if (!canPublish || performance.now() > giveUpAt) return false;
      await delay(10);
    }
  }

  /** Stops after the batches in flight, gives the lease back and closes the connection. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.notify();
    await this.#running;
    await this.#leadership.release();
    await this.#connection.close();
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      const { end, roundMs } = await this.#roundUntilSuccess();
      if (end === 'shares used' || (end === 'complete' && this.#poll.hasMore)) continue;
      if (end !== 'idle') await delay(this.#lingerMs(roundMs));
      else if (this.#leadership.lease !== undefined) await this.#pause(this.#poll.idleMs);
      // Only the leader reacts to commits. A standby only polls whether there still is a leader.
      else await delay(this.#options.pollMs, undefined, { signal });
    }
  }

  /** Rejects only if the relay is stopped. */
  #roundUntilSuccess(): Promise<{ readonly end: RoundEnd | 'idle'; readonly roundMs: number }> {
    const attempt = async () => {
      const startedAt = performance.now();
      try {
        const end = await this.#round();
        this.#setPublishing(this.#connection.refusesAll);
        return { end, roundMs: performance.now() - startedAt };
      } catch (error) {
        this.#poll.nameAll();
        this.#stopping.signal.throwIfAborted();
        const reason = await this.#connection.explain(error);
        const isOfBroker = reason instanceof PublishError;
        this.#setPublishing(`${isOfBroker ? '' : 'the journal cannot be read: '}${errorText(reason)}`);
        this.#events.failed(reason);
        if (isOfBroker && reason.kind === 'silent') await this.#connection.close();
        throw reason;
      }
    };
    return retryForever(attempt, {
      minTimeout: this.#options.backoffMinMs,
      maxTimeout: this.#options.backoffMaxMs,
      randomize: true,
      signal: this.#stopping.signal,
    });
  }

  #lingerMs(roundMs: number): number {
    const { lingerMinMs, lingerMaxMs } = this.#options;
    return Math.max(lingerMinMs, Math.min(roundMs * LINGER_FACTOR, lingerMaxMs));
  }

  /** Publishes what there is, of as many journals and events as a round may have. `idle`: there was nothing. */
  async #round(): Promise<RoundEnd | 'idle'> {
    const broker = await this.#connection.use();
    const lease = await this.#leadership.acquire();
    if (lease === undefined) {
      this.#journals.forgetAll();
      return 'idle';
    }
    if (!broker.publisher.synchronized || this.#synchronizedEpoch !== lease.epoch) {
      await this.#journals.synchronize(broker);
      this.#synchronizedEpoch = lease.epoch;
    }
    const backlogs = await this.#poll.next();
    if (backlogs.length === 0) return 'idle';
    return this.#journals.publish(broker, backlogs, this.#stopping.signal);
  }

  /** `reason`: why no event reaches the stream; undefined: they do. */
  #setPublishing(reason: string | undefined): void {
    const before = this.#publishing.publishing ? undefined : this.#publishing.reason;
    if (reason === before) return;
    this.#publishing = reason === undefined ? { publishing: true } : { publishing: false, reason };
    this.#events.publishing(this.#publishing);
  }

  async #pause(timeoutMs: number): Promise<void> {
    const timer = setTimeout(() => this.#wake.resolve(), timeoutMs);
    await this.#wake.promise;
    clearTimeout(timer);
    this.#wake = Promise.withResolvers();
  }
}
