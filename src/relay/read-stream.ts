/** Reads the messages of a stream without their payloads. */

import {
  DeliverPolicy,
  DiscardPolicy,
  jetstream,
  RetentionPolicy,
  type StreamInfo,
} from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';

import { subjectsOf } from './event-message.ts';
import { silent } from './nats-connection.ts';

/** A message on a subject of a tenant's events. Texts are empty if the message does not have the header. */
export interface EventHeaders {
  /** Its number in the stream. */
  readonly streamSequence: bigint;
  readonly messageId: string;
  readonly id: string;
  readonly source: string;
  /** Undefined: the message has no number of a journal. */
  readonly sequence: bigint | undefined;
}

/** Some messages, in the order of the stream. */
export interface HeadersPage {
  readonly messages: readonly EventHeaders[];
  /** Messages that were read so far, and all that there are to read. */
  readonly read: number;
  readonly total: number;
}

const PAGE_MESSAGES = 1_000;
/** A message that was to come may be deleted meanwhile. */
const PAGE_MS = 2_000;
/** NATS forgets a reader after this time. */
const INACTIVE_MS = 30_000;

/** Reads what the stream has on the subjects of a tenant at the moment of `info`. Rejects with a `PublishError`. */
export async function* readHeaders(
  connection: NatsConnection,
  { config, state }: StreamInfo,
  tenant: string,
): AsyncGenerator<HeadersPage> {
  try {
    const consumer = await jetstream(connection).consumers.get(config.name, {
      deliver_policy: DeliverPolicy.All,
      filter_subjects: subjectsOf(tenant),
      headers_only: true,
      inactive_threshold: INACTIVE_MS,
    });
    const total = (await consumer.info(true)).num_pending;
    let left = total;
    for (let read = 0; left > 0;) {
      const messages: EventHeaders[] = [];
      const before = read;
      const wanted = Math.min(left, PAGE_MESSAGES);
      for await (const message of await consumer.fetch({ max_messages: wanted, expires: PAGE_MS })) {
        read++;
        left = message.seq >= state.last_seq ? 0 : message.info.pending;
        const header = (name: string): string => message.headers?.get(name) ?? '';
        const sequence = header('ce-sequence');
        messages.push({
          streamSequence: BigInt(message.seq),
          messageId: header('Nats-Msg-Id'),
          id: header('ce-id'),
          source: header('ce-source'),
          sequence: /^\d{1,18}$/.test(sequence) ? BigInt(sequence) : undefined,
        });
      }
      if (read === before) break;
      yield { messages, read, total };
    }
  } catch (error) {
    silent('the stream cannot be read')(error);
  }
}

/** Whether the stream drops messages for other reasons than their age. */
export function dropsMessages({ config }: StreamInfo): boolean {
  const { retention, discard, max_msgs, max_bytes, max_msgs_per_subject } = config;
  const dropsOld = discard === DiscardPolicy.Old && (max_msgs > 0 || max_bytes > 0);
  return retention !== RetentionPolicy.Limits || dropsOld || max_msgs_per_subject > 0;
}
