/** ListUnpricedUsage: what has no cost, by what a price would need to name. */

import type { ChargeType, Provider } from '../../../generated/charge/v1/charge.ts';
import type { ServiceTier, UnpricedReason } from '../../../generated/charge/v1/money.ts';
import {
  ListUnpricedUsageRequest,
  ListUnpricedUsageResponse,
  type UnpricedUsage as ProtoUnpricedUsage,
} from '../../../generated/charge/v1/price_service.ts';
import { decodeStrictly } from '../../grpc/codec.ts';
import type { RpcMethod } from '../../grpc/service.ts';
import { fromProtoTimestamp, toProtoTimestamp } from '../../grpc/timestamp.ts';
import { unaryMethod } from '../../grpc/unary.ts';
import type { Check } from '../../grpc/validation.ts';
import { kindsOf } from '../../prices/index.ts';
import type { UnpricedUsage, UnpricedUsageReader } from '../ports.ts';
import { READ_REQUEST_BYTES_MAX } from './get-charge.ts';

const USAGES_MAX = 1000;

/** Each reads all charges of its time range, so only one does at a time. */
const CONCURRENCY = { max: 1, waitingMax: 16 };

/** The method on a reader. */
export function listUnpricedUsage(
  reader: UnpricedUsageReader,
  check: Check<ListUnpricedUsageRequest>,
): RpcMethod {
  return unaryMethod({
    requestBytesMax: READ_REQUEST_BYTES_MAX,
    decode: (bytes) => decodeStrictly(ListUnpricedUsageRequest, bytes),
    validate: check,
    response: ListUnpricedUsageResponse,
    hasLargeResponse: true,
    concurrency: CONCURRENCY,
    async handle({ startTime, endTime }, { tenant, timeoutMs }) {
      const range = {
        startTimeMicros: startTime && fromProtoTimestamp(startTime),
        endTimeMicros: endTime && fromProtoTimestamp(endTime),
      };
      const { usages, ...charges } = await reader.read(tenant, range, USAGES_MAX + 1, { timeoutMs });
      return {
        ...charges,
        usages: usages.slice(0, USAGES_MAX).map(toProtoUsage),
        truncated: usages.length > USAGES_MAX,
      };
    },
  });
}

function toProtoUsage(usage: UnpricedUsage): ProtoUnpricedUsage {
  return {
    provider: usage.provider as Provider,
    otherProvider: usage.otherProvider,
    chargeType: usage.chargeType as ChargeType,
    model: usage.model,
    serviceTier: usage.serviceTier as ServiceTier,
    region: usage.region,
    reason: usage.unpricedReason as UnpricedReason,
    kinds: kindsOf(usage.unpricedKinds),
    charges: usage.charges,
    firstUsageTime: toProtoTimestamp(usage.firstUsageTimeMicros),
    lastUsageTime: toProtoTimestamp(usage.lastUsageTimeMicros),
  };
}
