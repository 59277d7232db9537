/** What a credential of one user profile learns about the charges of others: nothing. */

import { Charge as ProtoCharge } from '../../../generated/charge/v1/charge.ts';
import { type Failure, ServiceError } from '../../errors/failure.ts';
import { mayTouch } from '../../grpc/own-user-profile.ts';
import type { Principal } from '../../grpc/principal.ts';
import type { Charge, ChargeKey, RecordResult } from '../charge.ts';
import type { JournalEvent } from '../charge-event.ts';
import { toProtoChargeEvent } from '../convert.ts';
import { chargeNotFound, recordedAndErased, requestIdReused, requestIdTaken } from '../errors.ts';

/**
 * The charge that `reading` resolves to. Rejects with `charge_not_found` if there is none within reach. Of an archived
 * charge it is not known whose it was, so it is out of reach too.
 */
export async function ownCharge<Found>(
  principal: Principal,
  key: ChargeKey,
  reading: Promise<Found | undefined>,
  chargeOf: (found: Found) => Charge,
): Promise<Found> {
  const found = await reading.catch((error: unknown): undefined => {
    const isArchived = error instanceof ServiceError && error.failure.reason === 'CHARGE_ARCHIVED';
    if (!isArchived || mayTouch(principal, undefined)) throw error;
  });
  if (found === undefined || !mayTouch(principal, chargeOf(found).userProfile)) {
    throw new ServiceError(chargeNotFound(key));
  }
  return found;
}

/** The failure of a request whose id made another charge. */
export function conflictFor(
  principal: Principal,
  conflict: Extract<RecordResult, { outcome: 'conflict' }>,
): Failure {
  return mayTouch(principal, conflict.userProfile)
    ? requestIdReused(conflict)
    : requestIdTaken(conflict.requestId);
}

/** The failure of a request whose id made a charge that is erased. Nobody knows whose it was, so it is out of reach. */
export function erasedFor(
  principal: Principal,
  { requestId, chargeId }: Extract<RecordResult, { outcome: 'erased' }>,
): Failure {
  return mayTouch(principal, undefined) ? recordedAndErased(chargeId) : requestIdTaken(requestId);
}

/** The message of an event. If an amendment gave usage to another user profile, the other charge has only its id. */
export function toProtoEventFor(
  principal: Principal,
  event: JournalEvent,
): ReturnType<typeof toProtoChargeEvent> {
  const message = toProtoChargeEvent(event);
  if (message.$case !== 'chargeAmended') return message;
  const { value } = message;
  const shown = (charge: ProtoCharge | undefined): ProtoCharge | undefined =>
    charge === undefined || mayTouch(principal, charge.userProfile)
      ? charge
      : ProtoCharge.fromPartial({ id: charge.id });
  return {
    $case: message.$case,
    value: { ...value, charge: shown(value.charge), original: shown(value.original) },
  };
}
