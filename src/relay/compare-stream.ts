/** Compares the stream with the journal of a tenant, and publishes again what the stream has lost. */

import { ServiceError } from '../errors/failure.ts';
import { setImmediate } from 'node:timers/promises';

import type { EntityManager } from '@mikro-orm/postgresql';
import { jetstreamManager, type StreamInfo } from '@nats-io/jetstream';
import { millis, type NatsConnection } from '@nats-io/transport-node';

import { timeOfChargeId } from '../charges/index.ts';
import { sourceOf } from './event-message.ts';
import { connectToNats, silent } from './nats-connection.ts';
import { NumberRanges, NumberSet } from './number-set.ts';
import { type RelayConfig, streamOptions } from './open-relay.ts';
import { publishAgain } from './publish-again.ts';
import { PublishError } from './publisher.ts';
import { dropsMessages, type EventHeaders, readHeaders } from './read-stream.ts';
import { findUnknownEvents, readDeadLetters, readEventId, readPublished } from './store/published-events.ts';
import { checkStream, findStream, type StreamOptions } from './stream.ts';

/** What does not agree. Both ends of a range belong to it. */
export type StreamFinding =
  | { readonly kind: 'unreadable'; readonly detail: string }
  /** Numbers of the journal. `detail`: why they could not be published again. */
  | (Range & { readonly kind: 'missing'; readonly repaired: boolean; readonly detail: string })
  | (Range & { readonly kind: 'doubled' })
  /** Numbers of the stream. */
  | (Range & { readonly kind: 'foreign' });

interface Range {
  readonly first: bigint;
  readonly last: bigint;
}

/** What a comparison is to do, and who hears of it. */
export interface StreamComparison {
  readonly tenant: string;
  readonly repair: boolean;
  /** Called once, before anything is repaired. Both ends belong to the range, which has all events that are missing. */
  readonly repairing: (first: bigint, last: bigint) => Promise<void>;
  readonly signal: AbortSignal;
  /** Messages of the stream. */
  readonly progress: (done: bigint, total: bigint) => void | Promise<void>;
  readonly found: (finding: StreamFinding) => void | Promise<void>;
  /** At the end: events that the stream should have, and messages that it has. */
  readonly compared: (events: bigint, messages: bigint) => void;
}

const CONNECT_TIMEOUT_MS = 5_000;
/** Events may become too old while the stream is read. */
const AGE_MARGIN_MS = 60_000;
const DEAD_LETTERS_PAGE = 10_000;

/** Comparisons over a connection of their own. `natsUrl`: undefined as long as there is no NATS. */
export function createStreamComparison(config: RelayConfig, natsUrl: () => string | undefined) {
  return async (em: EntityManager, comparison: StreamComparison): Promise<void> => {
    let connection: NatsConnection | undefined;
    try {
      const url = natsUrl();
      if (url === undefined) throw new PublishError('nats-server has not started yet');
      const address = { url, access: config.natsAccess, connectTimeoutMs: CONNECT_TIMEOUT_MS };
      connection = await connectToNats(address, 'charge-service reconcile');
      await new Run(config, em, connection, comparison).run();
    } catch (error) {
      if (!(error instanceof PublishError)) throw error;
      await comparison.found({ kind: 'unreadable', detail: error.message });
    } finally {
      await connection?.close().catch(() => undefined);
    }
  };
}

class Run {
  readonly #config: RelayConfig;
  readonly #stream: StreamOptions;
  readonly #em: EntityManager;
  readonly #connection: NatsConnection;
  readonly #comparison: StreamComparison;
  /** Numbers of events that the stream has, or cannot have. */
  readonly #known = new NumberSet();
  /** Of the first message of the tenant. */
  #firstSeen: bigint | undefined;
  #isRepairing = false;
  #messages = 0n;

  constructor(
    config: RelayConfig,
    em: EntityManager,
    connection: NatsConnection,
    comparison: StreamComparison,
  ) {
    this.#config = config;
    this.#stream = streamOptions(config);
    this.#em = em;
    this.#connection = connection;
    this.#comparison = comparison;
  }

  async run(): Promise<void> {
    // In this order: what is published by now is in the stream, unless somebody has removed it.
    const published = await readPublished(this.#em, this.#comparison.tenant);
    const cutoffMs = Date.now() + AGE_MARGIN_MS;
    const manager = await jetstreamManager(this.#connection).catch(silent('JetStream does not answer'));
    const info = await findStream(manager, this.#stream.name).catch(silent('the stream cannot be read'));
    if (info !== undefined) await this.#readMessages(info);
    const maxAgeMs = info === undefined ? this.#stream.maxAgeMs : millis(info.config.max_age);
    const oldest = maxAgeMs === 0 ? 1n : await this.#firstAfter(cutoffMs - maxAgeMs, published);
    const first =
      info !== undefined && dropsMessages(info) ? later(this.#firstSeen ?? published + 1n, oldest) : oldest;
    const deadLetters = await this.#addDeadLetters(first);
    if (info === undefined && this.#comparison.repair) {
      await this.#beginRepair(first, published);
      const { faults } = await checkStream(manager, this.#stream).catch(silent('the stream cannot be made'));
      if (faults.length > 0) throw new PublishError(faults.join('; '));
    }
    await this.#findMissing(first, published);
    await this.#comparison.progress(this.#messages, this.#messages);
    this.#comparison.compared(published + 1n - first - deadLetters, this.#messages);
  }

  async #readMessages(info: StreamInfo): Promise<void> {
    const { signal, found } = this.#comparison;
    const doubled = new NumberRanges((first, last) => found({ kind: 'doubled', first, last }));
    const foreign = new NumberRanges((first, last) => found({ kind: 'foreign', first, last }));
    for await (const page of readHeaders(this.#connection, info, this.#comparison.tenant)) {
      await this.#compare(page.messages, doubled, foreign);
      this.#messages += BigInt(page.messages.length);
      await this.#comparison.progress(BigInt(Math.min(page.read, page.total)), BigInt(page.total));
      if (signal.aborted) return;
    }
    await doubled.end();
    await foreign.end();
  }

  async #compare(
    messages: readonly EventHeaders[],
    doubled: NumberRanges,
    foreign: NumberRanges,
  ): Promise<void> {
    const { tenant } = this.#comparison;
    const source = sourceOf(tenant);
    const named = messages.filter(
      (message) =>
        message.source === source && message.sequence !== undefined && message.id === message.messageId,
    );
    const events = named.map(({ id, sequence = 0n }) => ({ id, sequence }));
    const unknown = events.length === 0 ? new Set() : await findUnknownEvents(this.#em, tenant, events);
    const known = new Set(named.filter((_, place) => !unknown.has(place)));
    for (const message of messages) {
      const { sequence, streamSequence } = message;
      if (sequence === undefined || !known.has(message)) {
        await foreign.add(streamSequence);
        continue;
      }
      this.#firstSeen ??= sequence;
      if (!this.#known.add(sequence)) await doubled.add(sequence);
    }
  }

  /** The first number whose event is not older than this moment. Their times follow their numbers. */
  async #firstAfter(timeMs: number, published: bigint): Promise<bigint> {
    let [low, high] = [1n, published + 1n];
    while (low < high) {
      const middle = (low + high) / 2n;
      const id = await readEventId(this.#em, this.#comparison.tenant, middle);
      if (id !== undefined && Number(timeOfChargeId(id) / 1000n) < timeMs) low = middle + 1n;
      else high = middle;
    }
    return low;
  }

  /** Resolves to how many there are from `first` on. */
  async #addDeadLetters(first: bigint): Promise<bigint> {
    const { tenant } = this.#comparison;
    let late = 0n;
    for (let after = 0n, count = DEAD_LETTERS_PAGE; count === DEAD_LETTERS_PAGE;) {
      const page = await readDeadLetters(this.#em, tenant, after, DEAD_LETTERS_PAGE);
      for (const sequence of page) {
        this.#known.add(sequence);
        if (sequence >= first) late++;
      }
      after = page.at(-1) ?? after;
      count = page.length;
    }
    return late;
  }

  async #findMissing(first: bigint, published: bigint): Promise<void> {
    const { signal } = this.#comparison;
    const missing = new NumberRanges((from, to) => this.#lost(from, to, published));
    for (let sequence = first; sequence <= published && !signal.aborted; sequence++) {
      if (!this.#known.has(sequence)) await missing.add(sequence);
      // There may be millions, and this process answers calls.
      if (sequence % 10_000n === 0n) await setImmediate();
    }
    if (!signal.aborted) await missing.end();
  }

  async #beginRepair(first: bigint, published: bigint): Promise<void> {
    if (this.#isRepairing) return;
    await this.#comparison.repairing(first, published);
    this.#isRepairing = true;
  }

  async #lost(first: bigint, last: bigint, published: bigint): Promise<void> {
    const { tenant, repair, signal, found } = this.#comparison;
    if (repair) await this.#beginRepair(first, published);
    const options = {
      em: this.#em,
      connection: this.#connection,
      stream: this.#stream.name,
      format: this.#config.eventFormat,
      tenant,
      signal,
    };
    const detail = repair ? await publishAgain(options, first, last).catch(reasonOf) : undefined;
    await found({
      kind: 'missing',
      first,
      last,
      repaired: repair && detail === undefined,
      detail: detail ?? '',
    });
  }
}

/** Events that can no longer be read, because their charges are archived, do not end the comparison. */
function reasonOf(error: unknown): string {
  if (error instanceof ServiceError) return error.message;
  throw error;
}

function later(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}
