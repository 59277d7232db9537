/** ListCharges: keyset pages with opaque tokens. */

import { Charge as ProtoCharge } from '../../../generated/charge/v1/charge.ts';
import { ListChargesRequest, ListChargesResponse } from '../../../generated/charge/v1/charge_service.ts';
import { cancelled, ServiceError } from '../../errors/failure.ts';
import { decodeStrictly, encodeTransient } from '../../grpc/codec.ts';
import type { RpcMethod } from '../../grpc/service.ts';
import { unaryMethod } from '../../grpc/unary.ts';
import type { Check } from '../../grpc/validation.ts';
import type { Charge } from '../charge.ts';
import { fromProtoChargeFilter, fromProtoListChargesOrder, toProtoCharge } from '../convert.ts';
import type { ChargeReader } from '../ports.ts';
import { encodedBytesAtMost, FRAME_BYTES } from './charge-bytes.ts';
import { READ_REQUEST_BYTES_MAX } from './get-charge.ts';
import { decodePageToken, encodePageToken, type PageScope } from './page-token.ts';

/** Charges of a page if the caller does not say how many, and at most. */
const PAGE_SIZE_DEFAULT = 100;
const PAGE_SIZE_MAX = 1000;

/** A page ends before this many bytes of charges: only pages of very large charges do. */
const PAGE_BYTES_MAX = 1024 * 1024;

/** Pages that are read at once: half of the connections for reads, so that the other half serves the rest. */
const LISTS_MAX = 4;
/** Lists that wait for that: a second of work, even if all pages are large. */
const WAITING_LISTS_MAX = 256;

/** The method on a reader. */
export function listCharges(reader: ChargeReader, check: Check<ListChargesRequest>): RpcMethod {
  return unaryMethod({
    requestBytesMax: READ_REQUEST_BYTES_MAX,
    decode: (bytes) => decodeStrictly(ListChargesRequest, bytes),
    validate: check,
    response: ListChargesResponse,
    hasLargeResponse: true,
    concurrency: { max: LISTS_MAX, waitingMax: WAITING_LISTS_MAX },
    async handle(request, call) {
      const { tenant, timeoutMs, underPressure } = call;
      const filter = fromProtoChargeFilter(request.filter);
      const { includeCorrected } = request;
      const order = fromProtoListChargesOrder(request.order);
      const scope: PageScope = { tenant, filter, options: ['ListCharges', order, includeCorrected] };
      const after = request.pageToken === '' ? undefined : decodePageToken(scope, request.pageToken);
      // A page may always be shorter than asked for.
      const pageSizeMax = underPressure ? PAGE_SIZE_DEFAULT : PAGE_SIZE_MAX;
      const pageSize = Math.min(request.pageSize || PAGE_SIZE_DEFAULT, pageSizeMax);
      // One more than the page holds tells whether anything follows it.
      const query = { filter, order, includeCorrected, limit: pageSize + 1, after };
      const charges = await reader.list(tenant, query, { timeoutMs });
      // To build the page takes longer than to read it.
      if (call.aborted) throw new ServiceError(cancelled());
      return toProtoPage(scope, charges, pageSize);
    },
  });
}

function toProtoPage(scope: PageScope, charges: readonly Charge[], pageSize: number): ListChargesResponse {
  const page = withinBytes(charges.slice(0, pageSize).map((charge) => toProtoCharge(charge)));
  const last = charges[page.length - 1];
  const more = charges.length > page.length && last !== undefined;
  return { charges: page, nextPageToken: more ? encodePageToken(scope, last) : '' };
}

/** The longest run from the start that fits into {@link PAGE_BYTES_MAX}. */
function withinBytes(charges: ProtoCharge[]): ProtoCharge[] {
  // Only pages of very large charges are measured, because that means encoding each charge.
  const atMost = charges.reduce((bytes, charge) => bytes + encodedBytesAtMost(charge), 0);
  if (atMost <= PAGE_BYTES_MAX) return charges;
  let bytes = 0;
  const end = charges.findIndex((charge) => {
    bytes += encodeTransient(ProtoCharge, charge).length + FRAME_BYTES;
    return bytes > PAGE_BYTES_MAX;
  });
  return end === -1 ? charges : charges.slice(0, end);
}
