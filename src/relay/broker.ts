/** The connection to NATS. If anything is wrong with it, a new one replaces it. */

import { type JetStreamManager, jetstreamManager } from '@nats-io/jetstream';
import { connect, type NatsConnection, type NodeConnectionOptions } from '@nats-io/transport-node';

import { CHARGE_CREATED_SUBJECT, type EventFormat } from './event-message.ts';
import { JetStreamPublisher } from './publisher.ts';
import { ensureStream, type StreamOptions } from './stream.ts';

/** An open connection with its stream in place. */
export interface Broker {
  readonly publisher: JetStreamPublisher;
  /**
   * Tells the publisher what the stream ends with now, and resolves to the last published charge there, or
   * undefined if there is none. If anybody else publishes afterwards, the next batch fails; otherwise it
   * would be stored after the wrong message.
   */
  synchronize(): Promise<PublishedCharge | undefined>;
  /** Resolves when the connection is lost for good. */
  readonly closed: Promise<void>;
  close(): Promise<void>;
}

/** A charge whose event is in the stream. */
export interface PublishedCharge {
  readonly id: string;
  readonly sequence: bigint;
}

/** How to reach NATS. */
export interface BrokerOptions {
  /** `nats://user:password@host:port` or `tls://…`, several separated by commas. */
  readonly url: string;
  readonly stream: StreamOptions;
  readonly format: EventFormat;
  readonly connectTimeoutMs: number;
}

/** Connects once and makes sure that the stream exists. Throws if either fails; the caller tries again. */
export async function openBroker(options: BrokerOptions): Promise<Broker> {
  const connection = await connect(connectionOptions(options));
  try {
    const manager = await jetstreamManager(connection, { timeout: options.connectTimeoutMs });
    await ensureStream(manager, options.stream);
    const publisher = new JetStreamPublisher(connection, options.stream.name, options.format);
    return {
      publisher,
      synchronize: async () => {
        const { state } = await manager.streams.info(options.stream.name);
        // In this order: what is published in between is then noticed, because it has a greater number.
        const last = await lastPublished(manager, options.stream.name);
        publisher.continueAfter(state.last_seq);
        return last;
      },
      closed: connection.closed().then(() => publisher.close()),
      close: () => closeConnection(connection, publisher),
    };
  } catch (error) {
    await connection.close();
    throw error;
  }
}

function connectionOptions({ url, connectTimeoutMs }: BrokerOptions): NodeConnectionOptions {
  const servers = url.split(',').map((part) => new URL(part.trim()));
  const [first] = servers;
  if (first === undefined) throw new RangeError('no NATS server given');
  const credentials = first.password
    ? { user: decodeURIComponent(first.username), pass: decodeURIComponent(first.password) }
    : first.username
      ? { token: decodeURIComponent(first.username) }
      : {};
  return {
    servers: servers.map(({ host }) => host),
    ...credentials,
    ...(first.protocol === 'tls:' && { tls: {} }),
    name: 'charge-service relay',
    timeout: connectTimeoutMs,
    // The relay reconnects by itself: what the client buffers while it is away would be sent twice.
    reconnect: false,
    pingInterval: 5_000,
    maxPingOut: 2,
  };
}

async function lastPublished(
  manager: JetStreamManager,
  stream: string,
): Promise<PublishedCharge | undefined> {
  const message = await manager.streams.getMessage(stream, { last_by_subj: CHARGE_CREATED_SUBJECT });
  if (message === null) return undefined;
  const sequence = message.header.get('ce-sequence');
  return /^\d+$/.test(sequence) ? { id: message.header.get('ce-id'), sequence: BigInt(sequence) } : undefined;
}

async function closeConnection(connection: NatsConnection, publisher: JetStreamPublisher): Promise<void> {
  publisher.close();
  await connection.close();
}
