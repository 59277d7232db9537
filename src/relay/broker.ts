/** The connection to NATS. If anything is wrong with it, a new one replaces it. */

import { type JetStreamManager, jetstreamManager } from '@nats-io/jetstream';
import { type NatsConnection, PermissionViolationError } from '@nats-io/transport-node';

import { type EventFormat, sourceOf, subjectsOf } from './event-message.ts';
import { connectToNats, type NatsAddress, silent } from './nats-connection.ts';
import { JetStreamPublisher } from './publisher.ts';
import type { StreamCondition } from './stream-condition.ts';
import { checkStream, type StreamOptions } from './stream.ts';

/** An open connection to a NATS with JetStream. */
export interface Broker {
  readonly publisher: JetStreamPublisher;
  /** Makes the stream if it is missing, and says whether it stores the events. Rejects if nothing answers. */
  checkStream(): Promise<StreamCondition>;
  /**
   * Tells the publisher what the stream ends with now. If anybody else publishes afterwards, the next batch fails;
   * otherwise it would be stored after the wrong message.
   */
  synchronize(): Promise<void>;
  /** The last event of a tenant in the stream, or undefined if there is none. */
  lastPublished(tenant: string): Promise<PublishedEvent | undefined>;
  /** Resolves when the connection is lost for good. */
  readonly closed: Promise<void>;
  close(): Promise<void>;
}

/** An event that is in the stream. */
export interface PublishedEvent {
  readonly id: string;
  readonly sequence: bigint;
}

/** How to reach NATS, and what is published there. */
export interface BrokerOptions extends NatsAddress {
  readonly stream: StreamOptions;
  readonly format: EventFormat;
}

/** Connects once. Rejects with a silent `PublishError` if that fails; the caller tries again. */
export async function openBroker(options: BrokerOptions): Promise<Broker> {
  const { stream, connectTimeoutMs } = options;
  const connection = await connectToNats(options, 'charge-service relay');
  try {
    const manager = await jetstreamManager(connection, { timeout: connectTimeoutMs });
    const publisher = new JetStreamPublisher(connection, stream.name, options.format);
    void watchPermissions(connection, publisher);
    const synchronize = async () => {
      const { state } = await manager.streams.info(stream.name);
      publisher.continueAfter(state.last_seq);
    };
    const unreadable = silent('the last message of the stream cannot be read');
    return {
      publisher,
      checkStream: () => checkStream(manager, stream).catch(silent('the stream cannot be checked')),
      synchronize: () => synchronize().catch(unreadable),
      lastPublished: (tenant) => lastPublished(manager, stream.name, tenant).catch(unreadable),
      closed: connection.closed().then(() => publisher.close()),
      close: () => closeConnection(connection, publisher),
    };
  } catch (error) {
    await connection.close();
    return silent('JetStream does not answer')(error);
  }
}

/** Ends with the connection. */
async function watchPermissions(connection: NatsConnection, publisher: JetStreamPublisher): Promise<void> {
  for await (const status of connection.status()) {
    if (status.type !== 'error' || !(status.error instanceof PermissionViolationError)) continue;
    if (status.error.operation === 'publish') publisher.forbidden(status.error.message);
  }
}

/** Asks for each subject: somebody else may have published on `charge.something`. */
async function lastPublished(
  manager: JetStreamManager,
  stream: string,
  tenant: string,
): Promise<PublishedEvent | undefined> {
  const found = await Promise.all(
    subjectsOf(tenant).map((subject) => manager.streams.getMessage(stream, { last_by_subj: subject })),
  );
  const last = found.reduce((a, b) => (a !== null && (b === null || a.seq > b.seq) ? a : b), null);
  if (last?.header.get('ce-source') !== sourceOf(tenant)) return undefined;
  const sequence = last.header.get('ce-sequence');
  return /^\d+$/.test(sequence) ? { id: last.header.get('ce-id'), sequence: BigInt(sequence) } : undefined;
}

async function closeConnection(connection: NatsConnection, publisher: JetStreamPublisher): Promise<void> {
  publisher.close();
  await connection.close();
}
