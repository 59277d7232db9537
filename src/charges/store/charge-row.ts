/** Rows of the table of charges, from requests. */

import { NOT_PRICED } from '../../prices/index.ts';
import { contentHash } from '../canonical-content.ts';
import type { ChargeRequest } from '../charge.ts';
import { newChargeId, timeOfChargeId } from '../charge-id.ts';
import type { ChargeRow } from '../entity.ts';
import { erasedRequestId, isHashedKey, requestKey } from './request-key.ts';

/**
 * Gives a request its hash, its time of creation and, unless it has one, its id. Called once per request, in order of
 * arrival. The row is also the charge that the caller sees after COMMIT.
 */
export function newCharge(
  tenant: string,
  { requestId, content, importId = '', traceparent = '' }: ChargeRequest,
  id = newChargeId(),
): ChargeRow {
  const key = requestKey(requestId);
  const createTimeMicros = timeOfChargeId(id);
  return {
    ...content,
    tenant,
    id,
    requestKey: key,
    hashedRequestId: isHashedKey(key) ? requestId : '',
    contentHash: contentHash(content),
    usageTimeMicros: content.usageTimeMicros ?? createTimeMicros,
    createTimeMicros,
    ...NOT_PRICED,
    amends: '',
    importId,
    traceparent,
  };
}

/** The request id that made the charge, or what stands for it if it is erased. */
export function requestIdOf({ hashedRequestId, requestKey: key }: ChargeRow): string {
  return hashedRequestId || (isHashedKey(key) ? erasedRequestId(key) : key);
}
