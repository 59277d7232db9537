/** An event as it travels on NATS: subject, headers, payload. */

import { headers, type MsgHdrs } from '@nats-io/transport-node';

import { ChargeCreated } from '../../generated/charge/v1/event.ts';
import { toProtoChargeCreated } from '../contract/charge-created.ts';
import type { JournalEntry } from '../domain/charge.ts';

/** Where new charges are announced. */
export const CHARGE_CREATED_SUBJECT = 'charge.created';

/** How the payload is written: protobuf, or its canonical JSON for consumers without the schema. */
export type EventFormat = 'protobuf' | 'json';

/** One message for the broker. */
export interface EventMessage {
  /** Identifies the event for ever: the broker's and every consumer's key against repeats. */
  readonly id: string;
  readonly tenant: string;
  readonly sequence: bigint;
  readonly subject: string;
  readonly headers: MsgHdrs;
  readonly payload: Uint8Array;
}

/**
 * The message of an entry: CloudEvents 1.0 in binary mode, with the `sequence` extension of
 * CloudEvents and the `traceparent` of its distributed tracing extension.
 */
export function eventMessage(entry: JournalEntry, format: EventFormat): EventMessage {
  const { tenant, sequence, charge } = entry;
  const event = toProtoChargeCreated(entry);
  const messageHeaders = headers();
  messageHeaders.append('Nats-Msg-Id', charge.id);
  messageHeaders.append('ce-specversion', '1.0');
  messageHeaders.append('ce-id', charge.id);
  messageHeaders.append('ce-type', CHARGE_CREATED_SUBJECT);
  messageHeaders.append('ce-source', `/charge.v1.ChargeService/tenants/${encodeURIComponent(tenant)}`);
  messageHeaders.append('ce-time', new Date(Number(charge.createTimeMicros / 1000n)).toISOString());
  messageHeaders.append('ce-sequence', sequence.toString());
  messageHeaders.append('content-type', CONTENT_TYPES[format]);
  messageHeaders.append('traceparent', entry.traceparent ?? traceparentOf(charge.id));
  return {
    id: charge.id,
    tenant,
    sequence,
    subject: CHARGE_CREATED_SUBJECT,
    headers: messageHeaders,
    payload:
      format === 'protobuf'
        ? ChargeCreated.encode(event).finish()
        : Buffer.from(JSON.stringify(ChargeCreated.toJSON(event))),
  };
}

const CONTENT_TYPES: Record<EventFormat, string> = {
  protobuf: 'application/protobuf',
  json: 'application/json',
};

/**
 * A trace of its own for a charge whose caller sent none, the same at every attempt: the id is 16
 * bytes that are never all zero, and the flags say that nobody recorded it.
 */
function traceparentOf(id: string): string {
  const hex = id.replaceAll('-', '');
  return `00-${hex}-${hex.slice(16)}-00`;
}
