/** ListApiKeys: the newest first, in pages. */

import { ListApiKeysRequest, ListApiKeysResponse } from '../../../generated/charge/v1/tenant_service.ts';
import { pageTokenInvalid, ServiceError } from '../../errors/failure.ts';
import { decodeStrictly } from '../../grpc/codec.ts';
import { SMALL_REQUEST_BYTES_MAX } from '../../grpc/limits.ts';
import { openPageToken, sealPageToken } from '../../grpc/page-token.ts';
import type { RpcMethod } from '../../grpc/service.ts';
import { isWellFormedTimestamp, toProtoTimestamp } from '../../grpc/timestamp.ts';
import { unaryMethod } from '../../grpc/unary.ts';
import type { Check } from '../../grpc/validation.ts';
import { toProtoApiKey } from '../convert.ts';
import type { ApiKeyPlace, ApiKeyStore } from '../ports.ts';
import { administeredTenant } from './operator.ts';
import { pageSizeOf } from './page.ts';

/** The method on a store. */
export function listApiKeys(keys: ApiKeyStore, check: Check<ListApiKeysRequest>): RpcMethod {
  return unaryMethod({
    requestBytesMax: SMALL_REQUEST_BYTES_MAX,
    decode: (bytes) => decodeStrictly(ListApiKeysRequest, bytes),
    validate: check,
    response: ListApiKeysResponse,
    hasLargeResponse: true,
    async handle(request, call) {
      const tenant = administeredTenant(call, request.tenantId);
      const pageSize = pageSizeOf(request);
      const before = request.pageToken === '' ? undefined : openPlace(tenant, request.pageToken);
      // One more than the page holds tells whether anything follows it.
      const found = await keys.list(tenant, before, pageSize + 1);
      const page = found.slice(0, pageSize);
      const last = found.length > pageSize ? page.at(-1) : undefined;
      const nextPageToken = last === undefined ? '' : sealPlace(tenant, last);
      return { apiKeys: page.map(toProtoApiKey), nextPageToken };
    },
  });
}

// The time of the key 8, its id 8.
const PLACE_BYTES = 16;
const ID_AT = 8;

function sealPlace(tenant: string, { createTimeMicros, id }: ApiKeyPlace): string {
  const place = Buffer.alloc(PLACE_BYTES);
  place.writeBigInt64BE(createTimeMicros);
  place.write(id, ID_AT, 'hex');
  return sealPageToken(place, ['api keys', tenant]);
}

function openPlace(tenant: string, token: string): ApiKeyPlace {
  const place = openPageToken(token, PLACE_BYTES, ['api keys', tenant]);
  const createTimeMicros = place.readBigInt64BE(0);
  // Anybody can make a token with a right digest, also one with a time that PostgreSQL cannot read.
  if (!isWellFormedTimestamp(toProtoTimestamp(createTimeMicros))) throw new ServiceError(pageTokenInvalid());
  return { createTimeMicros, id: place.toString('hex', ID_AT) };
}
