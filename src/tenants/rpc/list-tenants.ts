/** ListTenants: all tenants by id, in pages. */

import { ListTenantsRequest, ListTenantsResponse } from '../../../generated/charge/v1/tenant_service.ts';
import { pageTokenInvalid, ServiceError } from '../../errors/failure.ts';
import { decodeStrictly } from '../../grpc/codec.ts';
import { SMALL_REQUEST_BYTES_MAX } from '../../grpc/limits.ts';
import { openPageToken, sealPageToken } from '../../grpc/page-token.ts';
import type { RpcMethod } from '../../grpc/service.ts';
import { unaryMethod } from '../../grpc/unary.ts';
import type { Check } from '../../grpc/validation.ts';
import { toProtoTenant } from '../convert.ts';
import type { TenantStore } from '../ports.ts';
import { isTenantId } from '../tenant.ts';
import { requireOperator } from './operator.ts';
import { pageSizeOf } from './page.ts';

/** The method on a store. */
export function listTenants(tenants: TenantStore, check: Check<ListTenantsRequest>): RpcMethod {
  return unaryMethod({
    requestBytesMax: SMALL_REQUEST_BYTES_MAX,
    decode: (bytes) => decodeStrictly(ListTenantsRequest, bytes),
    validate: check,
    response: ListTenantsResponse,
    hasLargeResponse: true,
    async handle(request, call) {
      requireOperator(call);
      const { pageToken } = request;
      const after = pageToken === '' ? '' : openPlace(pageToken);
      const pageSize = pageSizeOf(request);
      // One more than the page holds tells whether anything follows it.
      const found = await tenants.list(after, pageSize + 1);
      const page = found.slice(0, pageSize);
      const last = page.at(-1)?.tenant ?? '';
      const nextPageToken = found.length > pageSize ? sealPageToken(Buffer.from(last), LIST) : '';
      return { tenants: page.map(toProtoTenant), nextPageToken };
    },
  });
}

const LIST = ['tenants'];

function openPlace(token: string): string {
  const tenant = openPageToken(token, undefined, LIST).toString();
  // Anybody can make a token with a right digest, of anything.
  if (!isTenantId(tenant)) throw new ServiceError(pageTokenInvalid());
  return tenant;
}
