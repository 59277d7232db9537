/** ListPrices: the versions in force at a moment, or all versions. */

import {
  ListPricesRequest,
  ListPricesResponse,
  Price as ProtoPrice,
} from '../../../generated/charge/v1/price_service.ts';
import { decodeStrictly } from '../../grpc/codec.ts';
import { SMALL_REQUEST_BYTES_MAX } from '../../grpc/limits.ts';
import { withinPageBytes } from '../../grpc/page-bytes.ts';
import { openPageToken, sealPageToken } from '../../grpc/page-token.ts';
import type { RpcMethod } from '../../grpc/service.ts';
import { fromProtoTimestamp } from '../../grpc/timestamp.ts';
import { unaryMethod } from '../../grpc/unary.ts';
import type { Check } from '../../grpc/validation.ts';
import { toProtoPrice } from '../convert.ts';
import type { PriceReader } from '../ports.ts';
import { listPrices as pageOf, type PriceFilter } from '../price-list.ts';

/** Versions of a page if the caller does not say how many, and at most. */
const PAGE_SIZE_DEFAULT = 100;
const PAGE_SIZE_MAX = 1000;

/** Where a page starts, and what the list is of, so that all of its pages are of one state. */
interface Place {
  /** The moment of the list if the call names none: that of its first page. */
  readonly nowMicros: bigint;
  /** Later versions do not count. */
  readonly lastVersion: number;
  /** The page holds versions before this one. */
  readonly before: number;
}

/** The method on a reader. */
export function listPrices(reader: PriceReader, check: Check<ListPricesRequest>): RpcMethod {
  return unaryMethod({
    requestBytesMax: SMALL_REQUEST_BYTES_MAX,
    decode: (bytes) => decodeStrictly(ListPricesRequest, bytes),
    validate: check,
    response: ListPricesResponse,
    hasLargeResponse: true,
    async handle(request, { tenant }) {
      const place = request.pageToken === '' ? undefined : openPlace(tenant, request);
      const book = await reader.latest(tenant);
      const { nowMicros, lastVersion, before } = place ?? firstPlace(book.version);
      const pageSize = Math.min(request.pageSize || PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX);
      const versions = book.all().slice(0, lastVersion);
      // One more than the page holds tells whether anything follows it.
      const found = pageOf(versions, filterOf(request, nowMicros), before, pageSize + 1);
      const prices = withinPageBytes(ProtoPrice, found.slice(0, pageSize).map(toProtoPrice));
      const next = { nowMicros, lastVersion, before: found[prices.length - 1]?.version ?? 0 };
      return { prices, nextPageToken: found.length > prices.length ? sealPlace(tenant, request, next) : '' };
    },
  });
}

function firstPlace(lastVersion: number): Place {
  return { nowMicros: BigInt(Date.now()) * 1000n, lastVersion, before: lastVersion + 1 };
}

function filterOf(request: ListPricesRequest, nowMicros: bigint): PriceFilter {
  const { provider, modelPrefix, effectiveAt, allVersions } = request;
  const atMicros = effectiveAt === undefined ? nowMicros : fromProtoTimestamp(effectiveAt);
  return { provider, modelPrefix, effectiveAtMicros: allVersions ? undefined : atMicros };
}

// now 8, last version 4, before 4.
const PLACE_BYTES = 16;

function sealPlace(
  tenant: string,
  request: ListPricesRequest,
  { nowMicros, lastVersion, before }: Place,
): string {
  const bytes = Buffer.alloc(PLACE_BYTES);
  bytes.writeBigInt64BE(nowMicros, 0);
  bytes.writeUInt32BE(lastVersion, 8);
  bytes.writeUInt32BE(before, 12);
  return sealPageToken(bytes, identityOf(tenant, request));
}

function openPlace(tenant: string, request: ListPricesRequest): Place {
  const bytes = openPageToken(request.pageToken, PLACE_BYTES, identityOf(tenant, request));
  return {
    nowMicros: bytes.readBigInt64BE(0),
    lastVersion: bytes.readUInt32BE(8),
    before: bytes.readUInt32BE(12),
  };
}

/** Every field but the size of the page and the token. */
function identityOf(tenant: string, { provider, modelPrefix, effectiveAt, allVersions }: ListPricesRequest) {
  const at = effectiveAt === undefined ? '' : String(fromProtoTimestamp(effectiveAt));
  return ['prices', tenant, provider, modelPrefix, at, allVersions];
}
