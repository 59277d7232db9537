/** BatchCreateCharges: up to 1000 charges, each recorded or refused alone. */

import {
  BatchCreateChargesRequest,
  type BatchCreateChargesResponse,
  type CreateChargeRequest,
} from '../../../generated/charge/v1/charge_service.ts';
import { decodeStrictly } from '../../grpc/codec.ts';
import type { ChargeRecorder } from '../ports.ts';
import { countItems } from './batch-items.ts';
import { fromProtoItem, NO_REQUEST, requestsOf, toProtoResults } from './items.ts';
import type { RpcLimits, RpcMetrics } from '../../grpc/dependencies.ts';
import { traceparentOf } from '../../grpc/trace-context.ts';
import type { UnaryMethod } from '../../grpc/unary.ts';
import type { Check } from '../../grpc/contract-rules.ts';

/** Most items of a batch by the contract. */
export const BATCH_ITEMS_MAX = 1000;

/** The checks of a batch: of the number of its items, and of each item. */
export interface BatchChecks {
  readonly size: Check<BatchCreateChargesRequest>;
  readonly item: Check<CreateChargeRequest>;
}

/** The method on a recorder. */
export function batchCreateCharges(
  recorder: ChargeRecorder,
  limits: RpcLimits,
  metrics: RpcMetrics,
  checks: BatchChecks,
): UnaryMethod<BatchCreateChargesRequest, BatchCreateChargesResponse> {
  return {
    name: 'BatchCreateCharges',
    messageBytesMax: limits.batchMessageBytesMax,
    decode: decodeBatch,
    validate: ({ requests }) =>
      requests.length >= 1 && requests.length <= BATCH_ITEMS_MAX
        ? []
        : checks.size({ requests: requests.map(() => NO_REQUEST) }),
    async handle({ requests }, call) {
      const traceparent = traceparentOf(call);
      const items = requests.map((request) => fromProtoItem(request, checks.item, traceparent));
      const accepted = requestsOf(items);
      for (let i = accepted.length; i < items.length; i++) metrics.refused('VALIDATION_FAILED');
      const results =
        accepted.length > 0 ? await recorder.record(call.tenant, accepted, { signal: call }) : [];
      return { results: toProtoResults(items, results) };
    },
  };
}

/** A batch with more items than allowed is not decoded: 4 MiB can name two million of them. */
function decodeBatch(bytes: Buffer): BatchCreateChargesRequest | undefined {
  const items = countItems(bytes, BATCH_ITEMS_MAX + 1);
  if (items === undefined) return undefined;
  if (items <= BATCH_ITEMS_MAX) return decodeStrictly(BatchCreateChargesRequest, bytes);
  return { requests: new Array<CreateChargeRequest>(items).fill(NO_REQUEST) };
}
