/** The failures that only prices have. `charge.v1.ErrorReason` documents each reason and its metadata. */

import { excerpt, type Failure, MESSAGE_EXCERPT_UNITS } from '../errors/failure.ts';
import { rfc3339 } from '../grpc/timestamp.ts';
import type { RefusedAt } from './ports.ts';
import { VERSIONS_MAX } from './price-decision.ts';

const NOTHING_STORED = 'Nothing was stored.';

/** A request to add a version was refused. `inBatch`: the metadata name its place. */
export function priceRefused({ refusal, index }: RefusedAt, inBatch: boolean): Failure {
  const place = inBatch ? { index: String(index) } : {};
  switch (refusal.kind) {
    case 'conflict': {
      const { requestId, version, field } = refusal;
      return {
        code: 'ALREADY_EXISTS',
        reason: 'REQUEST_ID_REUSED',
        message: `This request id already made price version ${version}, and ${field} differs. ${NOTHING_STORED} Use a new request id for a new version.`,
        metadata: { request_id: requestId, field, version: String(version), ...place },
      };
    }
    case 'effective_time_past': {
      const effectiveTime = rfc3339(refusal.effectiveTimeMicros);
      return {
        code: 'FAILED_PRECONDITION',
        reason: 'EFFECTIVE_TIME_PAST',
        message: `The price has versions already, and the new one would take effect at ${effectiveTime}, more than 5 minutes ago. ${NOTHING_STORED} Set allow_past if that is intended; recorded charges keep their cost.`,
        metadata: { version: String(refusal.version), effective_time: effectiveTime, ...place },
      };
    }
    case 'alias_chain': {
      const model = excerpt(refusal.model, MESSAGE_EXCERPT_UNITS);
      return {
        code: 'FAILED_PRECONDITION',
        reason: 'ALIAS_CHAIN',
        message: `An alias would name the model ${model}, which would be an alias itself. ${NOTHING_STORED} Let each alias name a model with a price of its own.`,
        metadata: { model: excerpt(refusal.model), ...place },
      };
    }
    case 'too_many':
      return {
        code: 'RESOURCE_EXHAUSTED',
        reason: 'TENANT_LIMIT_EXCEEDED',
        message: `The tenant is at its limit of ${VERSIONS_MAX.toLocaleString('en')} price versions. ${NOTHING_STORED}`,
        metadata: { limit: 'price_versions', ...place },
      };
  }
}

/** The tenant has no such version. */
export function priceNotFound(version: bigint): Failure {
  return {
    code: 'NOT_FOUND',
    reason: 'PRICE_NOT_FOUND',
    message: `There is no price version ${version}.`,
    metadata: { version: String(version) },
  };
}
