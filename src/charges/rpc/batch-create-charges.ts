/** BatchCreateCharges: up to 1000 charges, each recorded or rejected alone. */

import { setImmediate as nextTurn } from 'node:timers/promises';

import {
  BatchCreateChargesRequest,
  BatchCreateChargesResponse,
  type CreateChargeRequest,
} from '../../../generated/charge/v1/charge_service.ts';
import { cancelled, type Reason, ServiceError } from '../../errors/failure.ts';
import { BATCH_ITEMS_MAX, BATCH_REQUEST_BYTES_MAX, decodeBatch } from '../../grpc/batch-request.ts';
import type { RpcMethod } from '../../grpc/service.ts';
import { TimeSlice } from '../../grpc/time-slice.ts';
import { traceparentOf } from '../../grpc/trace-context.ts';
import { type UnaryContext, unaryMethod } from '../../grpc/unary.ts';
import type { Check } from '../../grpc/validation.ts';
import type { ChargeRecorder } from '../ports.ts';
import { checkItem, type Item, NO_REQUEST, requestsOf, toProtoResults } from './items.ts';

/** After so many rejected items only the first violation of each is named: clients take 4 MiB by default. */
const EXPLAINED_ITEMS_MAX = 100;

/** The checks of a batch: of the number of its items, and of each item. */
export interface BatchChecks {
  readonly size: Check<BatchCreateChargesRequest>;
  readonly item: Check<CreateChargeRequest>;
}

/** The method on a recorder. `rejected` is told why each item is that breaks a rule, or is for another user profile. */
export function batchCreateCharges(
  recorder: ChargeRecorder,
  checks: BatchChecks,
  rejected: (reason: Reason) => void,
): RpcMethod {
  return unaryMethod({
    requestBytesMax: BATCH_REQUEST_BYTES_MAX,
    decode: (bytes) => decodeBatch(BatchCreateChargesRequest, bytes, NO_REQUEST),
    validate: ({ requests }) =>
      requests.length >= 1 && requests.length <= BATCH_ITEMS_MAX
        ? []
        : checks.size({ requests: requests.map(() => NO_REQUEST) }),
    response: BatchCreateChargesResponse,
    hasLargeResponse: true,
    async handle({ requests }, call) {
      const items = await readItems(requests, checks.item, call, rejected);
      const accepted = requestsOf(items);
      const results =
        accepted.length > 0 ? await recorder.record(call.tenant, accepted, { signal: call }) : [];
      return { results: toProtoResults(call.principal, items, results) };
    },
  });
}

/** Checks the items in slices of 5 ms: a thousand items that break every rule take half a second. */
async function readItems(
  requests: readonly CreateChargeRequest[],
  check: Check<CreateChargeRequest>,
  call: UnaryContext,
  rejected: (reason: Reason) => void,
): Promise<Item[]> {
  const origin = { principal: call.principal, traceparent: traceparentOf(call) };
  const slice = new TimeSlice();
  const items: Item[] = [];
  let rejections = 0;
  for (const request of requests) {
    const item = checkItem(request, check, origin, rejections < EXPLAINED_ITEMS_MAX ? Infinity : 1);
    items.push(item);
    if ('request' in item) continue;
    rejections++;
    rejected(item.reason);
    if (slice.isOver()) {
      await nextTurn();
      if (call.aborted) throw new ServiceError(cancelled());
      slice.restart();
    }
  }
  return items;
}
