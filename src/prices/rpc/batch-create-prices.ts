/** BatchCreatePrices: up to 1000 versions, all or none. */

import { setImmediate as nextTurn } from 'node:timers/promises';

import {
  BatchCreatePricesRequest,
  BatchCreatePricesResponse,
  type CreatePriceRequest,
} from '../../../generated/charge/v1/price_service.ts';
import { cancelled, type FieldViolation, ServiceError, validationFailed } from '../../errors/failure.ts';
import { BATCH_ITEMS_MAX, BATCH_REQUEST_BYTES_MAX, decodeBatch } from '../../grpc/batch-request.ts';
import type { RpcMethod } from '../../grpc/service.ts';
import { TimeSlice } from '../../grpc/time-slice.ts';
import { type UnaryContext, unaryMethod } from '../../grpc/unary.ts';
import type { Check } from '../../grpc/validation.ts';
import { fromProtoCreatePriceRequest, toProtoCreatePriceResponse } from '../convert.ts';
import { priceRefused } from '../errors.ts';
import type { PriceRecorder } from '../ports.ts';
import type { PriceRequest } from '../price-decision.ts';
import { ONE_AFTER_THE_OTHER } from './create-price.ts';

/** Stands for an item that holds nothing: it breaks the same rules as an empty one. */
const NO_REQUEST: CreatePriceRequest = { price: undefined, requestId: '', allowPast: false };

/** The method on a recorder. */
export function batchCreatePrices(recorder: PriceRecorder, check: Check<CreatePriceRequest>): RpcMethod {
  return unaryMethod({
    requestBytesMax: BATCH_REQUEST_BYTES_MAX,
    decode: (bytes) => decodeBatch(BatchCreatePricesRequest, bytes, NO_REQUEST),
    validate: ({ requests }) => sizeViolations(requests.length),
    response: BatchCreatePricesResponse,
    hasLargeResponse: true,
    concurrency: ONE_AFTER_THE_OTHER,
    async handle({ requests }, call) {
      const items = await readItems(requests, check, call);
      const made = { actor: call, method: 'BatchCreatePrices' } as const;
      const results = await recorder.add(call.tenant, items, made);
      if (!Array.isArray(results)) throw new ServiceError(priceRefused(results, true));
      return { responses: results.map(toProtoCreatePriceResponse) };
    },
  });
}

/** What the contract's rules say of the number of items. To run them would check every item at once: up to a second. */
function sizeViolations(items: number): FieldViolation[] {
  if (items === 0) {
    return [{ field: 'requests', description: 'must not be empty', rule: 'repeated.min_items' }];
  }
  if (items <= BATCH_ITEMS_MAX) return [];
  const description = `must have at most ${BATCH_ITEMS_MAX} items`;
  return [{ field: 'requests', description, rule: 'repeated.max_items' }];
}

/** Checks the items in slices of 5 ms, up to the first that breaks a rule. */
async function readItems(
  requests: readonly CreatePriceRequest[],
  check: Check<CreatePriceRequest>,
  call: UnaryContext,
): Promise<PriceRequest[]> {
  const slice = new TimeSlice();
  const items: PriceRequest[] = [];
  for (const [index, request] of requests.entries()) {
    const violations = check(request);
    if (violations.length > 0) {
      const named = violations.map(({ field, ...rest }) => ({ ...rest, field: pathOf(index, field) }));
      throw new ServiceError({ ...validationFailed(named), metadata: { index: String(index) } });
    }
    items.push(fromProtoCreatePriceRequest(request));
    if (!slice.isOver()) continue;
    await nextTurn();
    if (call.aborted) throw new ServiceError(cancelled());
    slice.restart();
  }
  return items;
}

function pathOf(index: number, field: string): string {
  return field === '' ? `requests[${index}]` : `requests[${index}].${field}`;
}
