/** An event as it travels on NATS: subject, headers, payload. */

import {
  ChargeAmended,
  ChargeCreated,
  ChargeRepriced,
  ChargeVoided,
  UserProfileErased,
} from '../../generated/charge/v1/event.ts';
import { type JournalEvent, subjectOfEvent, timeOfChargeId, toProtoChargeEvent } from '../charges/index.ts';
import { type Encoder, encodeTransient } from '../grpc/codec.ts';
import { DEFAULT_TENANT } from '../tenants/index.ts';

/** A message as ts-proto encodes it. */
interface PayloadType extends Encoder<unknown> {
  toJSON(message: unknown): unknown;
}

/** How an event of a kind travels. */
interface EventType {
  /** That of the operator's own tenant: a noun and a verb. */
  readonly subject: string;
  readonly noun: string;
  readonly verb: string;
  /** What the event is to CloudEvents: the name of the message. It stays when a subject changes. */
  readonly name: string;
  readonly payload: PayloadType;
}

/** By the kind of the event. */
const EVENT_TYPES: Readonly<Record<JournalEvent['kind'], EventType>> = {
  created: eventType('charge.created', 'charge.v1.ChargeCreated', ChargeCreated),
  voided: eventType('charge.voided', 'charge.v1.ChargeVoided', ChargeVoided),
  amended: eventType('charge.amended', 'charge.v1.ChargeAmended', ChargeAmended),
  repriced: eventType('charge.repriced', 'charge.v1.ChargeRepriced', ChargeRepriced),
  erased: eventType('user_profile.erased', 'charge.v1.UserProfileErased', UserProfileErased),
};

function eventType(subject: `${string}.${string}`, name: string, payload: object): EventType {
  const [noun = '', verb = ''] = subject.split('.');
  return { subject, noun, verb, name, payload: payload as PayloadType };
}

/** Every kind of event, always in the same order. */
export const EVENT_KINDS = Object.keys(EVENT_TYPES) as JournalEvent['kind'][];

/** What a stream must take to have every event of every tenant. */
export const EVENT_PATTERNS: readonly string[] = [
  ...new Set(Object.values(EVENT_TYPES).map(({ noun }) => `${noun}.>`)),
];

/**
 * The subject of the events of a kind: `charge.created` for the operator's own tenant, `charge.acme.created` for the
 * tenant `acme`. So `charge.acme.>` has the events of `acme` and no others.
 */
export function subjectOf({ kind, tenant }: Pick<EventMessage, 'kind' | 'tenant'>): string {
  const { subject, noun, verb } = EVENT_TYPES[kind];
  return tenant === DEFAULT_TENANT ? subject : `${noun}.${tokenOf(tenant)}.${verb}`;
}

/** The subjects of all events of a tenant. */
export function subjectsOf(tenant: string): string[] {
  return EVENT_KINDS.map((kind) => subjectOf({ kind, tenant }));
}

/** One token of a subject, whatever the name has: tenants' ids stay as they are. */
function tokenOf(tenant: string): string {
  return encodeURIComponent(tenant).replaceAll('.', '%2E').replaceAll('*', '%2A');
}

/** Names a message as an absolute URI, which CloudEvents asks for. Nothing is served there. */
const SCHEMA_PREFIX = 'https://type.googleapis.com/';

/** How the payload is written: protobuf, or its canonical JSON for consumers without the schema. */
export type EventFormat = 'protobuf' | 'json';

/** One event, ready to be published. */
export interface EventMessage {
  readonly kind: JournalEvent['kind'];
  /** Identifies the event for ever: the broker's and every consumer's key against repeats. */
  readonly id: string;
  /** What it happened to: the id of a charge, or the pseudonym of a person. */
  readonly subject: string;
  readonly tenant: string;
  readonly sequence: bigint;
  /** When it happened, in milliseconds since the Unix epoch. */
  readonly createTimeMs: number;
  /** W3C trace context of the call that caused it; empty: it came without one. */
  readonly traceparent: string;
  readonly payload: Uint8Array;
}

/** The message of an event. */
export function eventMessage(event: JournalEvent, format: EventFormat): EventMessage {
  const { kind, id, tenant, sequence, traceparent = '' } = event;
  const { payload } = EVENT_TYPES[kind];
  const { value } = toProtoChargeEvent(event);
  return {
    kind,
    id,
    subject: subjectOfEvent(event),
    tenant,
    sequence,
    createTimeMs: Number(timeOfChargeId(id) / 1000n),
    traceparent,
    payload:
      format === 'protobuf'
        ? Buffer.from(encodeTransient(payload, value))
        : Buffer.from(JSON.stringify(payload.toJSON(value))),
  };
}

/**
 * The message's headers, encoded: CloudEvents 1.0 in binary mode, with the `sequence` extension of
 * CloudEvents and the `traceparent` of its distributed tracing extension; before them `condition`,
 * one more header line for the broker. One string and one copy: the client's own header object checks
 * every line.
 */
export function encodeHeaders(message: EventMessage, format: EventFormat, condition: string): Buffer {
  const { id, subject, tenant, sequence, createTimeMs, traceparent } = message;
  const { name } = EVENT_TYPES[message.kind];
  return Buffer.from(
    `NATS/1.0\r\n${condition}\r\nNats-Msg-Id: ${id}\r\nce-specversion: 1.0\r\nce-id: ${id}\r\n` +
      `ce-type: ${name}\r\nce-source: ${sourceOf(tenant)}\r\nce-subject: ${subject}\r\n` +
      `ce-dataschema: ${SCHEMA_PREFIX}${name}\r\nce-time: ${timeOf(createTimeMs)}\r\n` +
      `ce-sequence: ${sequence}\r\ncontent-type: ${CONTENT_TYPES[format]}\r\n` +
      `traceparent: ${traceparent || traceparentOf(id)}\r\n\r\n`,
    'latin1',
  );
}

const CONTENT_TYPES: Record<EventFormat, string> = {
  protobuf: 'application/protobuf',
  json: 'application/json',
};

/** `ce-source` of the events of a tenant. */
export function sourceOf(tenant: string): string {
  return `/charge.v1.ChargeService/tenants/${encodeURIComponent(tenant)}`;
}

let lastTimeMs = NaN;
let lastTime = '';

/** Remembers the last one: under load, dozens of events share a millisecond. */
function timeOf(createTimeMs: number): string {
  if (createTimeMs !== lastTimeMs) {
    lastTimeMs = createTimeMs;
    lastTime = new Date(createTimeMs).toISOString();
  }
  return lastTime;
}

/**
 * A trace context for an event whose caller sent none, the same at every attempt. The id is 16 bytes that
 * are never all zero, and the flags say that the trace is not recorded.
 */
function traceparentOf(id: string): string {
  const hex = id.replaceAll('-', '');
  return `00-${hex}-${hex.slice(16)}-00`;
}
