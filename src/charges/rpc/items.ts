/** Items of a batch or a stream: each is recorded or refused alone, and answered in its place. */

import type { ChargeResult, CreateChargeRequest } from '../../../generated/charge/v1/charge_service.ts';
import type { ChargeRequest, RecordResult } from '../charge.ts';
import type { Check } from '../../grpc/contract-rules.ts';
import { fromProtoCreateChargeRequest, toProtoChargeResult, toProtoRejection } from './charge-requests.ts';

/** An item that was read: refused already, or to be recorded. */
export type Item = { readonly rejection: ChargeResult } | { readonly request: ChargeRequest };

/** Stands for an item that holds nothing: it breaks the rules as an empty one does. */
export const NO_REQUEST: CreateChargeRequest = { charge: undefined, requestId: '' };

/** Checks an item by the contract's rules for a charge. */
export function fromProtoItem(
  request: CreateChargeRequest | undefined,
  check: Check<CreateChargeRequest>,
  traceparent: string | undefined,
): Item {
  const violations = check(request ?? NO_REQUEST);
  return violations.length > 0
    ? { rejection: toProtoRejection({ kind: 'validation_failed', violations }) }
    : { request: fromProtoCreateChargeRequest(request ?? NO_REQUEST, traceparent) };
}

/** The requests among the items that are to be recorded. */
export function requestsOf(items: readonly Item[]): ChargeRequest[] {
  return items.flatMap((item) => ('request' in item ? [item.request] : []));
}

/** A result for each item, in order; `results` are those of {@link requestsOf} the items. */
export function toProtoResults(items: readonly Item[], results: readonly RecordResult[]): ChargeResult[] {
  let next = 0;
  return items.map((item) => {
    if ('rejection' in item) return item.rejection;
    const result = results[next++];
    if (result === undefined) throw new TypeError('the recorder gave too few results');
    return toProtoChargeResult(result);
  });
}
