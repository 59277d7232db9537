/** What a credential of one user profile learns about the charges of others: nothing. */

import { Charge as ProtoCharge } from '../../../generated/charge/v1/charge.ts';
import { type Failure, ServiceError } from '../../errors/failure.ts';
import { mayTouch } from '../../grpc/own-user-profile.ts';
import type { Principal } from '../../grpc/principal.ts';
import type { Charge, ChargeKey, RecordResult } from '../charge.ts';
import type { JournalEvent } from '../charge-event.ts';
import { toProtoChargeEvent } from '../convert.ts';
import {
  chargeNotFound,
  recordedAndArchived,
  recordedAndErased,
  requestIdReused,
  requestIdTaken,
  userProfileRefused,
} from '../errors.ts';

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

/** A result without a charge. */
type Unrecorded = Exclude<RecordResult, { outcome: 'created' | 'replayed' }>;

/** Why a request recorded nothing. Nobody knows whose an erased charge was, so it is out of reach. */
export function failureFor(principal: Principal, result: Unrecorded): Failure {
  switch (result.outcome) {
    case 'conflict':
      return mayTouch(principal, result.userProfile)
        ? requestIdReused(result)
        : requestIdTaken(result.requestId);
    case 'archived':
      return recordedAndArchived(result.chargeId);
    case 'refused':
      return userProfileRefused(result);
    case 'erased':
      return mayTouch(principal, undefined)
        ? recordedAndErased(result.chargeId)
        : requestIdTaken(result.requestId);
  }
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
