/** ExportCharges: every charge that matches, page by page, with a token after each response. */

import {
  ExportChargesRequest,
  ExportChargesResponse,
  type ExportedCharge,
} from '../../../generated/charge/v1/charge_service.ts';
import { overloaded } from '../../errors/failure.ts';
import { decodeStrictly } from '../../grpc/codec.ts';
import { SMALL_REQUEST_BYTES_MAX } from '../../grpc/limits.ts';
import { withinReach } from '../../grpc/own-user-profile.ts';
import type { RpcMethod } from '../../grpc/service.ts';
import { responseStreamMethod, type StreamCall } from '../../grpc/stream.ts';
import { TenantShares } from '../../grpc/tenant-shares.ts';
import type { Check } from '../../grpc/validation.ts';
import type { Charge, ListPosition } from '../charge.ts';
import { fromProtoChargeFilter, toProtoCharge } from '../convert.ts';
import type { ChargeReader } from '../ports.ts';
import { encodedBytesAtMost } from './charge-bytes.ts';
import { decodePageToken, encodePageToken, type PageScope } from './page-token.ts';

/**
 * Exports that a process has open at a time, and half as many more for tenants with few of them. Each reads one page at a
 * time and keeps it until the caller has it, which may be an hour.
 */
const EXPORTS_MAX = 8;
/** Charges of a page, and at most of a response. */
const PAGE_SIZE = 500;
/** A response has fewer bytes than this: only very large charges fill one. */
const RESPONSE_BYTES_MAX = 1_000_000;
/** What an item has besides its charge: the request id. */
const ITEM_BYTES = 160;
/** A cost line is a tag, a length and four numbers, and a charge has at most 26 kinds of usage. */
const LINES_BYTES = 1100;

type ExportStream = StreamCall<ExportChargesRequest, ExportChargesResponse>;

/** The method on a reader; `check` holds the contract's rules for its one request. */
export function exportCharges(reader: ChargeReader, check: Check<ExportChargesRequest>): RpcMethod {
  const open = new TenantShares({ max: EXPORTS_MAX, hardMax: 1.5 * EXPORTS_MAX });
  return responseStreamMethod<ExportChargesRequest, ExportChargesResponse>({
    kind: 'export',
    requestBytesMax: SMALL_REQUEST_BYTES_MAX,
    decode: (bytes) => decodeStrictly(ExportChargesRequest, bytes),
    validate: check,
    response: ExportChargesResponse,
    run(stream, request) {
      const { tenant } = stream;
      if (!open.admits(tenant)) {
        const { retryAfterMs } = stream.context.limits;
        stream.fail(overloaded('open_exports', `${EXPORTS_MAX} open exports`, retryAfterMs));
        stream.close();
        return;
      }
      open.add(tenant);
      void send(stream, request, reader).finally(() => open.remove(tenant));
    },
  });
}

/** Runs until everything is sent, or the caller, the server or a failure ends the stream. Never rejects. */
async function send(
  stream: ExportStream,
  request: ExportChargesRequest,
  reader: ChargeReader,
): Promise<void> {
  const { tenant, principal } = stream;
  const { includeCorrected, includeCostLines, resumeToken } = request;
  const toItem = (charge: Charge): Promise<ExportedCharge> =>
    itemOf(tenant, charge, reader, includeCostLines);
  const itemBytes = ITEM_BYTES + (includeCostLines ? LINES_BYTES : 0);
  try {
    const filter = withinReach(principal, fromProtoChargeFilter(request.filter));
    const scope: PageScope = { tenant, filter, options: ['ExportCharges', includeCorrected] };
    let after = resumeToken === '' ? undefined : decodePageToken(scope, resumeToken);
    do {
      const query = { filter, includeCorrected, order: 'oldest_first', limit: PAGE_SIZE, after } as const;
      const { charges, next } = await reader.list(tenant, query);
      for (const { some, end } of parts(charges, next, itemBytes)) {
        if (stream.over) return;
        const token = end === undefined ? '' : encodePageToken(scope, end);
        const response = { charges: await Promise.all(some.map(toItem)), resumeToken: token };
        if (!stream.write(response)) await stream.untilWritable();
      }
      after = next;
    } while (after !== undefined && !stream.over);
    stream.end();
  } catch (error) {
    stream.failWith(error);
  } finally {
    stream.close();
  }
}

async function itemOf(
  tenant: string,
  charge: Charge,
  reader: ChargeReader,
  withLines: boolean,
): Promise<ExportedCharge> {
  const lines = withLines ? await reader.linesOf(tenant, charge) : undefined;
  return { charge: toProtoCharge(charge, lines), requestId: reader.requestIdOf(charge) };
}

/** The charges of one response, and the place after them; undefined: nothing follows. */
interface Part {
  readonly some: readonly Charge[];
  readonly end: ListPosition | undefined;
}

/** Cuts a page into responses. An empty page is one response, too: its token saves the caller what was searched. */
function* parts(
  charges: readonly Charge[],
  next: ListPosition | undefined,
  itemBytes: number,
): Generator<Part> {
  let start = 0;
  let bytes = 0;
  for (const [index, charge] of charges.entries()) {
    const itsBytes = encodedBytesAtMost(charge) + itemBytes;
    bytes += itsBytes;
    if (bytes > RESPONSE_BYTES_MAX && index > start) {
      yield { some: charges.slice(start, index), end: charges[index - 1] };
      start = index;
      bytes = itsBytes;
    }
  }
  yield { some: charges.slice(start), end: next };
}
