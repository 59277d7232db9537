/** What the entries of a tenant's journal say about charges. */

import type { Cost } from '../prices/index.ts';
import type { Charge, Correction } from './charge.ts';

/** What every event has. */
interface EventBase {
  readonly tenant: string;
  /** UUIDv7 of the charge, the correction or the cost revision. Its time is the time of the event. */
  readonly id: string;
  /** 1, 2, 3 … per tenant without a gap, in commit order. All kinds share one sequence. */
  readonly sequence: bigint;
  /** W3C trace context of the call that caused it, if it had one. */
  readonly traceparent: string | undefined;
}

/** A charge was recorded. */
export interface CreatedEvent extends EventBase {
  readonly kind: 'created';
  /** As it was recorded, whatever happened to it since. */
  readonly charge: Charge;
}

/** A charge was voided. */
export interface VoidedEvent extends EventBase {
  readonly kind: 'voided';
  /** VOIDED, with the cost that it had. */
  readonly charge: Charge;
  readonly correction: Correction;
}

/** A charge was replaced by another one. */
export interface AmendedEvent extends EventBase {
  readonly kind: 'amended';
  /** The replacement, as it was recorded. */
  readonly charge: Charge;
  /** AMENDED, with the cost that it had. */
  readonly original: Charge;
  readonly correction: Correction;
}

/** A charge got another cost. */
export interface RepricedEvent extends EventBase {
  readonly kind: 'repriced';
  /** With its new cost. */
  readonly charge: Charge;
  readonly previousCost: Cost;
  /** The caller's name of the run. */
  readonly runId: string;
}

/** A person was erased. */
export interface ErasedEvent extends EventBase {
  readonly kind: 'erased';
  /** What charges say instead of the id. */
  readonly pseudonym: string;
  /** Charges that were changed. */
  readonly charges: bigint;
  /** The id that was erased; empty: it is forgotten. */
  readonly userProfile: string;
}

/** Something happened to a charge. */
export type ChargeEvent = CreatedEvent | VoidedEvent | AmendedEvent | RepricedEvent;

/** An entry of the journal: an event and its number. */
export type JournalEvent = ChargeEvent | ErasedEvent;

/** What the event happened to: the id of the charge (the original, if it was replaced), or the pseudonym. */
export function subjectOfEvent(event: JournalEvent): string {
  if (event.kind === 'erased') return event.pseudonym;
  return event.kind === 'amended' ? event.original.id : event.charge.id;
}
