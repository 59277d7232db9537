/**
 * The events of one committed group as bytes. The server process that wrote the group sends them to the
 * relay, which then need not read and encode them again.
 */

import type { JournalEvent } from '../charges/index.ts';
import { EVENT_KINDS, type EventFormat, type EventMessage, eventMessage } from './event-message.ts';

/** Events of one tenant, numbered from `firstSequence` without a gap. */
export interface CommittedEvents {
  readonly tenant: string;
  readonly firstSequence: bigint;
  readonly messages: readonly EventMessage[];
  /** The size of their bytes, which stay in memory as long as any of the messages. */
  readonly sizeBytes: number;
}

/** At the start of a group: how many events, the number of the first, the length of the tenant's name. */
const GROUP_BYTES = 4 + 8 + 2;
/** At the start of each event: kind, milliseconds, lengths of subject, trace context and payload; then its id. */
const EVENT_BYTES = 1 + 8 + 2 + 2 + 4;
const ID_BYTES = 36;

/** Encodes the events of one group, in order. Both processes run the same code: no version is needed. */
export function encodeCommittedEvents(events: readonly JournalEvent[], format: EventFormat): Buffer {
  const [first] = events;
  if (first === undefined) throw new RangeError('a group has at least one event');
  const tenant = Buffer.from(first.tenant);
  const messages = events.map((event) => eventMessage(event, format));
  const size = messages.reduce(
    (sum, { subject, traceparent, payload }) =>
      sum + EVENT_BYTES + ID_BYTES + subject.length + traceparent.length + payload.length,
    GROUP_BYTES + tenant.length,
  );
  const bytes = Buffer.allocUnsafe(size);
  let at = bytes.writeUInt32BE(messages.length);
  at = bytes.writeBigInt64BE(first.sequence, at);
  at = bytes.writeUInt16BE(tenant.length, at);
  at += tenant.copy(bytes, at);
  for (const { kind, id, subject, createTimeMs, traceparent, payload } of messages) {
    at = bytes.writeUInt8(EVENT_KINDS.indexOf(kind), at);
    at = bytes.writeDoubleBE(createTimeMs, at);
    at = bytes.writeUInt16BE(subject.length, at);
    at = bytes.writeUInt16BE(traceparent.length, at);
    at = bytes.writeUInt32BE(payload.length, at);
    at += bytes.write(id, at, 'latin1');
    at += bytes.write(subject, at, 'latin1');
    at += bytes.write(traceparent, at, 'latin1');
    bytes.set(payload, at);
    at += payload.length;
  }
  return bytes;
}

/** The group again. Payloads are views on `bytes`. */
export function decodeCommittedEvents(bytes: Buffer): CommittedEvents {
  const count = bytes.readUInt32BE(0);
  const firstSequence = bytes.readBigInt64BE(4);
  let at = GROUP_BYTES;
  const tenant = bytes.toString('utf8', at, (at += bytes.readUInt16BE(12)));
  const messages = Array.from({ length: count }, (_, index): EventMessage => {
    const kind = EVENT_KINDS[bytes.readUInt8(at)];
    if (kind === undefined) throw new RangeError('an event of an unknown kind');
    const createTimeMs = bytes.readDoubleBE(at + 1);
    const subjectBytes = bytes.readUInt16BE(at + 9);
    const traceparentBytes = bytes.readUInt16BE(at + 11);
    const payloadBytes = bytes.readUInt32BE(at + 13);
    at += EVENT_BYTES;
    return {
      kind,
      id: bytes.toString('latin1', at, (at += ID_BYTES)),
      subject: bytes.toString('latin1', at, (at += subjectBytes)),
      tenant,
      sequence: firstSequence + BigInt(index),
      createTimeMs,
      traceparent: bytes.toString('latin1', at, (at += traceparentBytes)),
      payload: bytes.subarray(at, (at += payloadBytes)),
    };
  });
  return { tenant, firstSequence, messages, sizeBytes: bytes.length };
}
