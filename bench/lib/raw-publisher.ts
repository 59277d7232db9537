/**
 * Acknowledged publishing to JetStream and nothing else, with the client library, payloads, headers and
 * stream settings of the relay. It counts acknowledgements on one reply inbox, and keeps a fixed number of
 * messages unacknowledged.
 */

import { DiscardPolicy, jetstreamManager, RetentionPolicy, StorageType } from '@nats-io/jetstream';
import {
  connect,
  createInbox,
  type MsgHdrs,
  type NatsConnection,
  nanos,
  type Subscription,
} from '@nats-io/transport-node';

import { encodeHeaders, type EventMessage, eventMessage } from '../../src/relay/event-message.ts';
import { newChargeSource } from './new-charges.ts';
import { RequestIds } from './request-ids.ts';

/** Messages that may be unacknowledged. */
const WINDOW = 1_000;
const DIFFERENT_EVENTS = 4096;

/**
 * Fills a stream of its own. With groups of one, each message has its acknowledgement. With larger groups
 * only the last message of a group has one, and each is stored only directly after the one before, as the
 * relay does it.
 */
export class RawPublisher {
  readonly #connection: NatsConnection;
  readonly #stream: string;
  readonly #groupSize: number;
  readonly #subscription: Subscription;
  readonly #inbox = createInbox();
  readonly #ids = new RequestIds();
  readonly #messages: readonly EventMessage[];
  #waiting: { readonly upTo: number; readonly resolve: () => void }[] = [];
  /** Number of groups that were asked for; the counts below are of groups, too. */
  #wanted = 0;
  #sent = 0;
  #acknowledged = 0;
  #failed = 0;
  #lastId: string | undefined;

  private constructor(connection: NatsConnection, stream: string, groupSize: number) {
    this.#connection = connection;
    this.#stream = stream;
    this.#groupSize = groupSize;
    this.#messages = newChargeSource()(DIFFERENT_EVENTS).map((charge, index) =>
      eventMessage(
        {
          kind: 'created',
          id: charge.id,
          tenant: 'default',
          sequence: BigInt(1_000_000 + index),
          charge,
          traceparent: undefined,
        },
        'protobuf',
      ),
    );
    this.#subscription = connection.subscribe(`${this.#inbox}.*`, {
      callback: (_error, message) => {
        this.#settle(message.json<{ error?: object }>().error === undefined);
      },
    });
  }

  /** Connects, and makes a new stream: it remembers no message ids. */
  static async open(natsUrl: string, stream: string, groupSize = 1): Promise<RawPublisher> {
    const connection = await connect({ servers: new URL(natsUrl).host });
    const publisher = new RawPublisher(connection, stream, groupSize);
    const manager = await jetstreamManager(connection);
    await manager.streams.delete(stream).catch(() => undefined);
    await manager.streams.add({
      name: stream,
      subjects: [`${stream}.>`],
      storage: StorageType.File,
      retention: RetentionPolicy.Limits,
      discard: DiscardPolicy.New,
      max_age: nanos(30 * 24 * 3_600_000),
      duplicate_window: nanos(120_000),
    });
    return publisher;
  }

  /** Groups that the broker refused. */
  get failed(): number {
    return this.#failed;
  }

  /** Publishes so many groups more; resolves when all groups so far are answered. */
  publish(groups: number): Promise<void> {
    this.#wanted += groups;
    return new Promise((resolve) => {
      this.#waiting.push({ upTo: this.#wanted, resolve });
      this.#fill();
    });
  }

  async close(): Promise<void> {
    this.#subscription.unsubscribe();
    await this.#connection.close();
  }

  #settle(ok: boolean): void {
    if (ok) this.#acknowledged++;
    else this.#failed++;
    const settled = this.#acknowledged + this.#failed;
    while (this.#waiting[0] !== undefined && this.#waiting[0].upTo <= settled) {
      this.#waiting.shift()?.resolve();
    }
    this.#fill();
  }

  #fill(): void {
    const groupsMax = Math.ceil(WINDOW / this.#groupSize);
    while (this.#sent < this.#wanted && this.#sent - this.#acknowledged - this.#failed < groupsMax) {
      const first = this.#sent++ * this.#groupSize;
      for (let index = first; index < first + this.#groupSize; index++) {
        const isLast = index === first + this.#groupSize - 1;
        this.#send(index, isLast ? `${this.#inbox}.${this.#sent}` : undefined);
      }
    }
  }

  #send(index: number, reply: string | undefined): void {
    const message = this.#messages[index % this.#messages.length];
    if (message === undefined) return;
    const id = this.#ids.next();
    const condition =
      this.#groupSize === 1 || this.#lastId === undefined
        ? `Nats-Expected-Stream: ${this.#stream}`
        : `Nats-Expected-Last-Msg-Id: ${this.#lastId}`;
    this.#lastId = id;
    const headers = encodeHeaders({ ...message, id }, 'protobuf', condition);
    this.#connection.publish(`${this.#stream}.created`, message.payload, {
      headers: { encode: () => headers } as unknown as MsgHdrs,
      ...(reply !== undefined && { reply }),
    });
  }
}
