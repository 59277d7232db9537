/** ListCharges: keyset pages with opaque tokens. */

import { Charge as ProtoCharge } from '../../../generated/charge/v1/charge.ts';
import { ListChargesRequest, ListChargesResponse } from '../../../generated/charge/v1/charge_service.ts';
import { cancelled, ServiceError } from '../../errors/failure.ts';
import { decodeStrictly } from '../../grpc/codec.ts';
import { SMALL_REQUEST_BYTES_MAX } from '../../grpc/limits.ts';
import { withinReach } from '../../grpc/own-user-profile.ts';
import { PAGE_BYTES_MAX, withinPageBytes } from '../../grpc/page-bytes.ts';
import type { RpcMethod } from '../../grpc/service.ts';
import { unaryMethod } from '../../grpc/unary.ts';
import type { Check } from '../../grpc/validation.ts';
import { fromProtoChargeFilter, fromProtoListChargesOrder, toProtoCharge } from '../convert.ts';
import type { ChargePage, ChargeReader } from '../ports.ts';
import { encodedBytesAtMost } from './charge-bytes.ts';
import { decodePageToken, encodePageToken, type PageScope } from './page-token.ts';

/** Charges of a page if the caller does not say how many, and at most. */
const PAGE_SIZE_DEFAULT = 100;
const PAGE_SIZE_MAX = 1000;

/** Pages that are read at once: half of the connections for reads, so that the other half serves the rest. */
const LISTS_MAX = 4;
/** Lists that wait for that: a second of work if all pages are large, a few if each reads as many rows as it may. */
const WAITING_LISTS_MAX = 256;

/** The method on a reader. */
export function listCharges(reader: ChargeReader, check: Check<ListChargesRequest>): RpcMethod {
  return unaryMethod({
    requestBytesMax: SMALL_REQUEST_BYTES_MAX,
    decode: (bytes) => decodeStrictly(ListChargesRequest, bytes),
    validate: check,
    response: ListChargesResponse,
    hasLargeResponse: true,
    concurrency: { max: LISTS_MAX, waitingMax: WAITING_LISTS_MAX },
    async handle(request, call) {
      const { tenant, principal, timeoutMs, underPressure } = call;
      const filter = withinReach(principal, fromProtoChargeFilter(request.filter));
      const { includeCorrected } = request;
      const order = fromProtoListChargesOrder(request.order);
      const scope: PageScope = { tenant, filter, options: ['ListCharges', order, includeCorrected] };
      const after = request.pageToken === '' ? undefined : decodePageToken(scope, request.pageToken);
      // A page may always be shorter than asked for.
      const pageSizeMax = underPressure ? PAGE_SIZE_DEFAULT : PAGE_SIZE_MAX;
      const pageSize = Math.min(request.pageSize || PAGE_SIZE_DEFAULT, pageSizeMax);
      const query = { filter, order, includeCorrected, limit: pageSize, after };
      const page = await reader.list(tenant, query, { timeoutMs });
      // To build the page takes longer than to read it.
      if (call.aborted) throw new ServiceError(cancelled());
      return toProtoPage(scope, page);
    },
  });
}

function toProtoPage(scope: PageScope, page: ChargePage): ListChargesResponse {
  const charges = withinBytes(page.charges.map((charge) => toProtoCharge(charge)));
  const next = charges.length < page.charges.length ? page.charges[charges.length - 1] : page.next;
  return { charges, nextPageToken: next === undefined ? '' : encodePageToken(scope, next) };
}

/** Only pages of very large charges are measured, because that means encoding each charge. */
function withinBytes(charges: ProtoCharge[]): ProtoCharge[] {
  const atMost = charges.reduce((bytes, charge) => bytes + encodedBytesAtMost(charge), 0);
  return atMost <= PAGE_BYTES_MAX ? charges : withinPageBytes(ProtoCharge, charges);
}
