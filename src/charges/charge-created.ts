/** `charge.v1.ChargeCreated` of an entry of the book, for the watch and for the relay. */

import type { ChargeCreated } from '../../generated/charge/v1/event.ts';
import type { JournalEntry } from './charge.ts';
import { toProtoCharge } from './convert.ts';

/** The event of an entry. Its id is the charge's own: a charge is created once. */
export function toProtoChargeCreated(entry: JournalEntry): ChargeCreated {
  return {
    eventId: entry.charge.id,
    charge: toProtoCharge(entry.charge),
    sequence: entry.sequence,
    tenant: entry.tenant,
  };
}
