/** An event as it travels on NATS: subject, headers, payload. */

import { ChargeCreated } from '../../generated/charge/v1/event.ts';
import { type ChargeEvent, toProtoChargeCreated } from '../charges/index.ts';
import { encodeTransient } from '../grpc/codec.ts';

/** The subject of the events about new charges. */
export const CHARGE_CREATED_SUBJECT = 'charge.created';

/** What the events are to CloudEvents: the name of the message. It stays when a subject changes. */
const EVENT_TYPE = 'charge.v1.ChargeCreated';
/** Names the message as an absolute URI, which CloudEvents asks for. Nothing is served there. */
const DATA_SCHEMA = `https://type.googleapis.com/${EVENT_TYPE}`;

/** How the payload is written: protobuf, or its canonical JSON for consumers without the schema. */
export type EventFormat = 'protobuf' | 'json';

/** One event, ready to be published on {@link CHARGE_CREATED_SUBJECT}. */
export interface EventMessage {
  /** Identifies the event for ever: the broker's and every consumer's key against repeats. */
  readonly id: string;
  readonly tenant: string;
  readonly sequence: bigint;
  /** When the charge was made, in milliseconds since the Unix epoch. */
  readonly createTimeMs: number;
  /** W3C trace context of the call that made the charge; empty: it came without one. */
  readonly traceparent: string;
  readonly payload: Uint8Array;
}

/** The message of an event. */
export function eventMessage(chargeEvent: ChargeEvent, format: EventFormat): EventMessage {
  const { tenant, sequence, charge } = chargeEvent;
  const event = toProtoChargeCreated(chargeEvent);
  return {
    id: charge.id,
    tenant,
    sequence,
    createTimeMs: Number(charge.createTimeMicros / 1000n),
    traceparent: chargeEvent.traceparent ?? '',
    payload:
      format === 'protobuf'
        ? Buffer.from(encodeTransient(ChargeCreated, event))
        : Buffer.from(JSON.stringify(ChargeCreated.toJSON(event))),
  };
}

/**
 * The message's headers, encoded: CloudEvents 1.0 in binary mode, with the `sequence` extension of
 * CloudEvents and the `traceparent` of its distributed tracing extension; before them `condition`,
 * one more header line for the broker. One string and one copy: the client's own header object checks
 * every line.
 */
export function encodeHeaders(message: EventMessage, format: EventFormat, condition: string): Buffer {
  const { id, tenant, sequence, createTimeMs, traceparent } = message;
  return Buffer.from(
    `NATS/1.0\r\n${condition}\r\nNats-Msg-Id: ${id}\r\nce-specversion: 1.0\r\nce-id: ${id}\r\n` +
      `ce-type: ${EVENT_TYPE}\r\nce-source: ${sourceOf(tenant)}\r\nce-subject: ${id}\r\n` +
      `ce-dataschema: ${DATA_SCHEMA}\r\nce-time: ${timeOf(createTimeMs)}\r\n` +
      `ce-sequence: ${sequence}\r\ncontent-type: ${CONTENT_TYPES[format]}\r\n` +
      `traceparent: ${traceparent || traceparentOf(id)}\r\n\r\n`,
    'latin1',
  );
}

const CONTENT_TYPES: Record<EventFormat, string> = {
  protobuf: 'application/protobuf',
  json: 'application/json',
};

function sourceOf(tenant: string): string {
  return `/charge.v1.ChargeService/tenants/${encodeURIComponent(tenant)}`;
}

let lastTimeMs = NaN;
let lastTime = '';

/** Remembers the last one: under load, dozens of charges share a millisecond. */
function timeOf(createTimeMs: number): string {
  if (createTimeMs !== lastTimeMs) {
    lastTimeMs = createTimeMs;
    lastTime = new Date(createTimeMs).toISOString();
  }
  return lastTime;
}

/**
 * A trace context for a charge whose caller sent none, the same at every attempt. The id is 16 bytes that
 * are never all zero, and the flags say that the trace is not recorded.
 */
function traceparentOf(id: string): string {
  const hex = id.replaceAll('-', '');
  return `00-${hex}-${hex.slice(16)}-00`;
}
