/** `charge.v1.ChargeCreated` of an event of the journal, for the watch and for the relay. */

import type { ChargeCreated } from '../../generated/charge/v1/event.ts';
import type { ChargeEvent } from './charge.ts';
import { toProtoCharge } from './convert.ts';

/** The message of an event. Its id is the charge's own: a charge is created once. */
export function toProtoChargeCreated(event: ChargeEvent): ChargeCreated {
  return {
    eventId: event.charge.id,
    charge: toProtoCharge(event.charge),
    sequence: event.sequence,
    tenant: event.tenant,
  };
}
