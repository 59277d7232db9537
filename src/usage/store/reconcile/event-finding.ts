/** Findings about one event of the journal. */

import { timeOfChargeId } from '../../../charges/index.ts';
import type { Finding, FindingKind } from '../../reconcile.ts';
import { DAY_MICROS, floorTo } from '../../windows.ts';

/** A finding about one event. The day is the one on which it was made. */
export function eventFinding(kind: FindingKind, id: string, first: bigint, last = first): Finding {
  return { kind, id, dayMicros: dayOfId(id), ...(first > 0n && { sequences: { first, last } }) };
}

function dayOfId(id: string): bigint | undefined {
  return /^.{14}7/.test(id) ? floorTo(timeOfChargeId(id), DAY_MICROS) : undefined;
}
