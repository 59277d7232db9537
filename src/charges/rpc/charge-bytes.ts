/** How large charges and events are on the wire, without encoding them. */

import type { JournalEvent } from '../charge-event.ts';

/** The texts of a charge, as the domain and the contract both name them. */
export interface ChargeTexts {
  readonly userProfile: string;
  readonly sessionKey: string;
  readonly otherProvider: string;
  readonly model: string;
  readonly reference: string;
  readonly region: string;
  readonly labels: ReadonlyMap<string, string>;
}

/** Tag and length of a label. */
const FRAME_BYTES = 5;
/** Tags, lengths, ids, counts, times and the cost of a charge: everything but its texts. */
const FIXED_BYTES = 800;
/** Most bytes of UTF-8 that a UTF-16 unit becomes. */
const BYTES_PER_UNIT = 3;

/** An upper bound of a charge's encoded bytes. Its texts take less in memory: at most two bytes a unit. */
export function encodedBytesAtMost(charge: ChargeTexts): number {
  let units =
    charge.userProfile.length +
    charge.sessionKey.length +
    charge.otherProvider.length +
    charge.model.length +
    charge.reference.length +
    charge.region.length;
  for (const [key, value] of charge.labels) units += key.length + value.length + FRAME_BYTES;
  return FIXED_BYTES + BYTES_PER_UNIT * units;
}

/** An upper bound of an event's encoded bytes: an amendment has two charges, and a correction has a reason. */
export function eventBytesAtMost(event: JournalEvent): number {
  if (event.kind === 'erased') return FIXED_BYTES + BYTES_PER_UNIT * event.userProfile.length;
  const charge = encodedBytesAtMost(event.charge);
  if (event.kind === 'created' || event.kind === 'repriced') return FIXED_BYTES + charge;
  const original = event.kind === 'amended' ? encodedBytesAtMost(event.original) : 0;
  return FIXED_BYTES + charge + original + BYTES_PER_UNIT * event.correction.reason.length;
}
