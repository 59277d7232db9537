/** GetTenant: one tenant. */

import { GetTenantRequest, GetTenantResponse } from '../../../generated/charge/v1/tenant_service.ts';
import { decodeStrictly } from '../../grpc/codec.ts';
import { SMALL_REQUEST_BYTES_MAX } from '../../grpc/limits.ts';
import type { RpcMethod } from '../../grpc/service.ts';
import { unaryMethod } from '../../grpc/unary.ts';
import type { Check } from '../../grpc/validation.ts';
import { toProtoTenant } from '../convert.ts';
import type { TenantStore } from '../ports.ts';
import { administeredTenant } from './operator.ts';

/** The method on a store. */
export function getTenant(tenants: TenantStore, check: Check<GetTenantRequest>): RpcMethod {
  return unaryMethod({
    requestBytesMax: SMALL_REQUEST_BYTES_MAX,
    decode: (bytes) => decodeStrictly(GetTenantRequest, bytes),
    validate: check,
    response: GetTenantResponse,
    async handle({ tenantId }, call) {
      return { tenant: toProtoTenant(await tenants.get(administeredTenant(call, tenantId))) };
    },
  });
}
