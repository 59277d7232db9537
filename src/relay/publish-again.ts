/** Publishes events again that the stream has lost. */

import { setTimeout as delay } from 'node:timers/promises';

import type { EntityManager } from '@mikro-orm/postgresql';
import type { MsgHdrs, NatsConnection } from '@nats-io/transport-node';

import { readChargeEvents } from '../charges/index.ts';
import { encodeHeaders, type EventFormat, eventMessage, subjectOf } from './event-message.ts';
import { silent } from './nats-connection.ts';
import { PublishError } from './publisher.ts';

/** Events that are sent before their acknowledgements are waited for. */
const PAGE_EVENTS = 200;
const ACK_TIMEOUT_MS = 10_000;
/** The relay, whose next batch is refused because the stream ends with another message, publishes meanwhile. */
const PAUSE_MIN_MS = 50;

/** Where the events come from and go to. */
export interface PublishAgainOptions {
  readonly em: EntityManager;
  readonly connection: NatsConnection;
  readonly stream: string;
  readonly format: EventFormat;
  readonly tenant: string;
  /** Aborted: end after the events in flight. */
  readonly signal: AbortSignal;
}

/**
 * Publishes the events from `first` to `last` with their message ids, after everything that the stream has. Resolves to
 * why some are not stored; undefined: all are. Rejects with a {@link PublishError} if NATS does not answer.
 */
export async function publishAgain(
  options: PublishAgainOptions,
  first: bigint,
  last: bigint,
): Promise<string | undefined> {
  const { em, tenant, signal } = options;
  let refusal: string | undefined;
  for (let next = first; next <= last; next += BigInt(PAGE_EVENTS)) {
    if (signal.aborted) return 'the run was ended';
    const startedAt = performance.now();
    const count = Math.min(PAGE_EVENTS, Number(last - next) + 1);
    const events = await readChargeEvents(
      em.fork({ loggerContext: em.getLoggerContext() }),
      tenant,
      next - 1n,
      count,
    );
    if (events.length < count) return `the journal has no events ${next + BigInt(events.length)} to ${last}`;
    const answers = await Promise.all(events.map((event) => publish(options, event)));
    refusal ??= answers.find((answer) => answer !== undefined);
    await delay(Math.max(PAUSE_MIN_MS, performance.now() - startedAt));
  }
  return refusal;
}

interface Ack {
  readonly duplicate?: boolean;
  readonly error?: { readonly description: string };
}

/** Resolves to why the event is not stored. */
async function publish(
  { connection, stream, format }: PublishAgainOptions,
  event: Parameters<typeof eventMessage>[0],
): Promise<string | undefined> {
  const message = eventMessage(event, format);
  const encoded = encodeHeaders(message, format, `Nats-Expected-Stream: ${stream}`);
  const reply = await connection
    .request(subjectOf(message), message.payload, {
      headers: { encode: () => encoded } as unknown as MsgHdrs,
      timeout: ACK_TIMEOUT_MS,
    })
    .catch(silent('an event cannot be published again'));
  if (reply.data.length === 0) throw new PublishError('no stream takes the subject');
  const { duplicate, error } = reply.json<Ack>();
  if (error !== undefined) return error.description;
  return duplicate ? 'NATS still remembers the message id (duplicate_window): try again later' : undefined;
}
