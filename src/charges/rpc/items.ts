/** Items of a batch or a stream: each is recorded or rejected alone, and answered in its place. */

import {
  type ChargeResult,
  type CreateChargeRequest,
  Outcome,
} from '../../../generated/charge/v1/charge_service.ts';
import { type Failure, type Reason, validationFailed } from '../../errors/failure.ts';
import { refusalToActFor } from '../../grpc/own-user-profile.ts';
import type { Principal } from '../../grpc/principal.ts';
import { toProtoStatus } from '../../grpc/status.ts';
import type { Check } from '../../grpc/validation.ts';
import type { ChargeRequest, RecordResult } from '../charge.ts';
import { fromProtoCreateChargeRequest, toProtoCharge } from '../convert.ts';
import { failureFor } from './own-charges.ts';

/** An item that was read: rejected already, or to be recorded. */
export type Item =
  { readonly rejection: ChargeResult; readonly reason: Reason } | { readonly request: ChargeRequest };

/** The call that items came with. */
export interface ItemOrigin {
  readonly principal: Principal;
  readonly traceparent: string | undefined;
}

/** Stands for an item that holds nothing: it breaks the same rules as an empty one. */
export const NO_REQUEST: CreateChargeRequest = { charge: undefined, requestId: '', importId: '' };

/** Checks an item by the contract's rules for a charge, and that its caller may record it. Names `violationsMax` faults at most. */
export function checkItem(
  request: CreateChargeRequest | undefined,
  check: Check<CreateChargeRequest>,
  { principal, traceparent }: ItemOrigin,
  violationsMax = Infinity,
): Item {
  const violations = check(request ?? NO_REQUEST);
  if (violations.length > 0) return rejected(validationFailed(violations.slice(0, violationsMax)));
  const charge = fromProtoCreateChargeRequest(request ?? NO_REQUEST, traceparent);
  const refusal = refusalToActFor(principal, charge.content.userProfile);
  return refusal === undefined ? { request: charge } : rejected(refusal);
}

function rejected(failure: Failure): Item {
  return { rejection: toProtoRejection(failure), reason: failure.reason };
}

/** The requests among the items that are to be recorded. */
export function requestsOf(items: readonly Item[]): ChargeRequest[] {
  return items.flatMap((item) => ('request' in item ? [item.request] : []));
}

/** A result for each item, in order; `results` are those of {@link requestsOf} the items. */
export function toProtoResults(
  principal: Principal,
  items: readonly Item[],
  results: readonly RecordResult[],
): ChargeResult[] {
  let next = 0;
  return items.map((item) => {
    if ('rejection' in item) return item.rejection;
    const result = results[next++];
    if (result === undefined) throw new TypeError('the recorder gave too few results');
    return toProtoChargeResult(principal, result);
  });
}

/** The result of an item of a batch or a stream. */
function toProtoChargeResult(principal: Principal, result: RecordResult): ChargeResult {
  if (!('charge' in result)) return toProtoRejection(failureFor(principal, result));
  return {
    outcome: result.outcome === 'created' ? Outcome.OUTCOME_CREATED : Outcome.OUTCOME_REPLAYED,
    charge: toProtoCharge(result.charge),
    status: undefined,
  };
}

/** The result of an item of which nothing was stored. */
function toProtoRejection(failure: Failure): ChargeResult {
  return { outcome: Outcome.OUTCOME_REJECTED, charge: undefined, status: toProtoStatus(failure) };
}
