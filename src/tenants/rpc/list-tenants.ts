/** ListTenants: all tenants by id, in pages. */

import { ListTenantsRequest, ListTenantsResponse } from '../../../generated/charge/v1/tenant_service.ts';
import { decodeStrictly } from '../../grpc/codec.ts';
import { SMALL_REQUEST_BYTES_MAX } from '../../grpc/limits.ts';
import type { RpcMethod } from '../../grpc/service.ts';
import { unaryMethod } from '../../grpc/unary.ts';
import type { Check } from '../../grpc/validation.ts';
import { toProtoTenant } from '../convert.ts';
import type { TenantStore } from '../ports.ts';
import { requireOperator } from './operator.ts';
import { idBefore, pageSizeOf, tokenAfter } from './page.ts';

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
      const after = idBefore(request.pageToken, LIST) ?? '';
      const pageSize = pageSizeOf(request);
      // One more than the page holds tells whether anything follows it.
      const found = await tenants.list(after, pageSize + 1);
      const page = found.slice(0, pageSize);
      const last = found.length > pageSize ? page.at(-1)?.tenant : undefined;
      return { tenants: page.map(toProtoTenant), nextPageToken: tokenAfter(last, LIST) };
    },
  });
}

const LIST = ['tenants'];
