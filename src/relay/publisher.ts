/**
 * Publishes batches to JetStream and counts the acknowledgements. The client's own `publish()`
 * costs about four times as much Node time a message; one reply inbox for all of them does not.
 */

import type { Msg, NatsConnection, Subscription } from '@nats-io/transport-node';
import { createInbox } from '@nats-io/transport-node';

import type { EventMessage } from './event-message.ts';

/** What became of a batch: how many, from the first on, the broker has acknowledged as stored. */
export interface PublishOutcome {
  readonly acknowledged: number;
  /** Why the next one was not; undefined when all were. */
  readonly failure: PublishFailure | undefined;
}

/** A refusal by the broker, or its silence. */
export interface PublishFailure {
  /** Whether the same message would be refused again, whatever else changes. */
  readonly permanent: boolean;
  /** Whether there was no answer at all. */
  readonly silent?: boolean;
  readonly reason: string;
}

/** The `error.err_code` of a message above the stream's `max_msg_size`. */
const MESSAGE_TOO_LARGE_CODE = 10054;

/** The broker stores a message only if the last one of the stream carries this id. */
const EXPECTED_LAST_ID = 'Nats-Expected-Last-Msg-Id';

interface Ack {
  readonly stream?: string;
  readonly seq?: number;
  readonly duplicate?: boolean;
  readonly error?: { readonly code: number; readonly err_code?: number; readonly description: string };
}

interface Batch {
  readonly failures: Map<number, PublishFailure>;
  readonly answered: Uint8Array;
  waiting: number;
  done(): void;
}

/** One publisher per connection; one batch at a time. */
export class JetStreamPublisher {
  readonly #connection: NatsConnection;
  readonly #inbox = createInbox();
  readonly #subscription: Subscription;
  readonly #stream: string;
  #batch: Batch | undefined;
  #batchNumber = 0;

  constructor(connection: NatsConnection, stream: string) {
    this.#connection = connection;
    this.#stream = stream;
    this.#subscription = connection.subscribe(`${this.#inbox}.*.*`, {
      callback: (error, message) => {
        if (error === null) this.#acknowledge(message);
      },
    });
  }

  /**
   * Sends the messages in order and waits for all acknowledgements, at most `timeoutMs`. Each
   * message but the first asks the broker to store it only right behind the one before it, so that
   * a refusal in the middle cannot change the order of the rest.
   */
  async publish(messages: readonly EventMessage[], timeoutMs: number): Promise<PublishOutcome> {
    const tooLarge = messages.findIndex((message) => this.#isTooLarge(message));
    const sendable = tooLarge < 0 ? messages : messages.slice(0, tooLarge);
    const outcome = await this.#send(sendable, timeoutMs);
    if (outcome.failure !== undefined || tooLarge < 0) return outcome;
    const size = messages[tooLarge]?.payload.length ?? 0;
    const reason = `the event of ${size} bytes is larger than the broker takes (max_payload)`;
    return { acknowledged: tooLarge, failure: { permanent: true, reason } };
  }

  /** Stops listening for acknowledgements. */
  close(): void {
    this.#subscription.unsubscribe();
  }

  #isTooLarge(message: EventMessage): boolean {
    const limit = this.#connection.info?.max_payload ?? Infinity;
    // Headers count as well; ours stay far below a kilobyte.
    return message.payload.length + 1024 > limit;
  }

  async #send(messages: readonly EventMessage[], timeoutMs: number): Promise<PublishOutcome> {
    if (messages.length === 0) return { acknowledged: 0, failure: undefined };
    const number = ++this.#batchNumber;
    const failures = new Map<number, PublishFailure>();
    const answered = new Uint8Array(messages.length);
    let timer: NodeJS.Timeout | undefined;
    const finished = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, timeoutMs);
      this.#batch = { failures, answered, waiting: messages.length, done: resolve };
    });
    try {
      for (const [index, message] of messages.entries()) {
        const previous = messages[index - 1];
        if (previous === undefined) message.headers.delete(EXPECTED_LAST_ID);
        else message.headers.set(EXPECTED_LAST_ID, previous.id);
        this.#connection.publish(message.subject, message.payload, {
          headers: message.headers,
          reply: `${this.#inbox}.${number}.${index}`,
        });
      }
      await finished;
    } finally {
      clearTimeout(timer);
      this.#batch = undefined;
    }
    return prefixOutcome(messages.length, answered, failures, timeoutMs);
  }

  #acknowledge(message: Msg): void {
    const batch = this.#batch;
    const [number, index] = message.subject
      .slice(this.#inbox.length + 1)
      .split('.')
      .map(Number);
    if (batch === undefined || number !== this.#batchNumber || index === undefined) return;
    if (batch.answered[index] !== 0) return;
    batch.answered[index] = 1;
    const failure = failureOf(message, this.#stream);
    if (failure !== undefined) batch.failures.set(index, failure);
    if (--batch.waiting === 0) batch.done();
  }
}

/** Undefined when the broker says that it has stored the message, now or before, in our stream. */
function failureOf(message: Msg, stream: string): PublishFailure | undefined {
  if (message.data.length === 0) return { permanent: false, reason: 'no stream takes the subject' };
  const ack = parseAck(message);
  if (ack === undefined) return { permanent: false, reason: 'the acknowledgement is not JSON' };
  if (ack.error !== undefined) {
    const { err_code: code, description } = ack.error;
    return {
      permanent: code === MESSAGE_TOO_LARGE_CODE,
      reason: `${description} (${code ?? ack.error.code})`,
    };
  }
  if (ack.stream !== stream || ack.seq === undefined) {
    return { permanent: false, reason: `acknowledged by the stream ${ack.stream ?? '?'}, not ${stream}` };
  }
  return undefined;
}

/** Called from a subscription's callback, which nothing above would catch. */
function parseAck(message: Msg): Ack | undefined {
  try {
    return message.json<Ack>();
  } catch {
    return undefined;
  }
}

function prefixOutcome(
  count: number,
  answered: Uint8Array,
  failures: ReadonlyMap<number, PublishFailure>,
  timeoutMs: number,
): PublishOutcome {
  for (let index = 0; index < count; index++) {
    const failure = failures.get(index);
    if (failure !== undefined) return { acknowledged: index, failure };
    if (answered[index] === 0) {
      const reason = `no acknowledgement within ${timeoutMs} ms`;
      return { acknowledged: index, failure: { permanent: false, silent: true, reason } };
    }
  }
  return { acknowledged: count, failure: undefined };
}
