/** The rules of corrections: what a request to void or amend a charge does, decided from what is stored. */

import type { Failure } from '../errors/failure.ts';
import { contentHash, firstDifference } from './canonical-content.ts';
import type {
  AmendRequest,
  Charge,
  ChargeContent,
  ChargeKey,
  ClosedPeriod,
  Correction,
  VoidRequest,
} from './charge.ts';
import {
  amendmentUnchanged,
  chargeAlreadyCorrected,
  chargeArchived,
  chargeNotFound,
  periodClosed,
  laterPeriodClosed,
  requestIdReused,
  voidRequestIdReused,
} from './errors.ts';

/** What a request does: it corrects the charge, it was done before, or it is refused and nothing is stored. */
export type Decision<C, K> =
  | { readonly outcome: 'correct'; readonly charge: C; readonly closedPeriod: boolean }
  | { readonly outcome: 'replay'; readonly charge: C; readonly correction: K }
  | { readonly outcome: 'refuse'; readonly failure: Failure };

/** What is stored about the charge that a request names. */
export interface CorrectionState<C, K> {
  /** The charge, if there is one. */
  readonly charge: C | undefined;
  /** The id of the charge, if it is archived. */
  readonly archivedId?: string | undefined;
  /** Its correction, if it has one. */
  readonly correction: K | undefined;
  /** The last closed period, if there is one. */
  readonly closed: ClosedPeriod | undefined;
}

/** Decides about a void. `earlier`: the correction that its request id made. */
export function decideVoid<C extends Charge, K extends Correction>(
  { key, requestId, reason, allowClosedPeriod }: VoidRequest,
  { charge, archivedId, correction, closed }: CorrectionState<C, K>,
  earlier: K | undefined,
): Decision<C, K> {
  if (archivedId !== undefined && (earlier === undefined || earlier.chargeId === archivedId))
    return refuse(chargeArchived(archivedId, 'correct'));
  if (earlier !== undefined) {
    const isSame = earlier.chargeId === charge?.id;
    if (isSame && earlier.reason === reason) return { outcome: 'replay', charge, correction: earlier };
    const field = isSame ? 'reason' : keyField(key);
    return refuse(voidRequestIdReused({ requestId, field, correctionId: earlier.id }));
  }
  if (charge === undefined) return refuse(chargeNotFound(key));
  if (correction !== undefined) return refuse(chargeAlreadyCorrected(correction));
  return unlessClosed(charge, charge.usageTimeMicros, closed, allowClosedPeriod);
}

/** Decides about an amendment. `made`: the charge that its request id made. */
export function decideAmend<C extends Charge, K extends Correction>(
  { key, requestId, reason, content, allowClosedPeriod }: AmendRequest,
  { charge, archivedId, correction, closed }: CorrectionState<C, K>,
  made: Charge | undefined,
): Decision<C, K> {
  if (archivedId !== undefined && (made === undefined || made.amends === archivedId))
    return refuse(chargeArchived(archivedId, 'correct'));
  if (made !== undefined) {
    const replaces = made.amends === charge?.id;
    const isSame = replaces && hasContent(made, withUsageTime(content, charge));
    if (isSame && correction?.reason === reason) return { outcome: 'replay', charge, correction };
    const field = !replaces ? keyField(key) : isSame ? 'reason' : firstDifference(made, content);
    return refuse(requestIdReused({ requestId, field, chargeId: made.id }));
  }
  if (charge === undefined) return refuse(chargeNotFound(key));
  if (correction !== undefined) return refuse(chargeAlreadyCorrected(correction));
  const replacement = withUsageTime(content, charge);
  if (hasContent(charge, replacement)) return refuse(amendmentUnchanged(charge.id));
  const { usageTimeMicros } = replacement;
  const earliest = usageTimeMicros < charge.usageTimeMicros ? usageTimeMicros : charge.usageTimeMicros;
  return unlessClosed(charge, earliest, closed, allowClosedPeriod);
}

/** The content of a replacement: with the usage time of the original, unless it has its own. */
export function withUsageTime(
  content: ChargeContent,
  original: Charge,
): ChargeContent & { usageTimeMicros: bigint } {
  return { ...content, usageTimeMicros: content.usageTimeMicros ?? original.usageTimeMicros };
}

/** Whether a replacement is priced with the version that priced the original, although newer ones may be in force. */
export function keepsPriceVersion(original: Charge, replacement: Charge): boolean {
  return (
    original.costNanos !== undefined && PRICED_BY.every((member) => original[member] === replacement[member])
  );
}

/** What a price version is chosen by. */
const PRICED_BY = [
  'provider',
  'otherProvider',
  'chargeType',
  'model',
  'serviceTier',
  'region',
  'usageTimeMicros',
] as const;

/** Whether a stored charge says the same as the content. Its hash may be of a content without a usage time. */
function hasContent(charge: Charge, content: ChargeContent): boolean {
  return contentHash(charge) === contentHash(content);
}

function unlessClosed<C>(
  charge: C,
  usageTimeMicros: bigint,
  closed: ClosedPeriod | undefined,
  allowed: boolean,
): Decision<C, never> {
  if (closed === undefined || usageTimeMicros >= closed.endTimeMicros)
    return { outcome: 'correct', charge, closedPeriod: false };
  return allowed ? { outcome: 'correct', charge, closedPeriod: true } : refuse(periodClosed(closed));
}

function refuse(failure: Failure): Decision<never, never> {
  return { outcome: 'refuse', failure };
}

function keyField(key: ChargeKey): string {
  return 'id' in key ? 'id' : 'charge_request_id';
}

/** Why a period cannot be closed at this moment; undefined: it can. `last`: the last closed one. */
export function refusalToClose(endTimeMicros: bigint, last: ClosedPeriod | undefined): Failure | undefined {
  return last !== undefined && endTimeMicros < last.endTimeMicros ? laterPeriodClosed(last) : undefined;
}
