/** CreateTenant: adds a tenant. */

import { CreateTenantRequest, CreateTenantResponse } from '../../../generated/charge/v1/tenant_service.ts';
import { decodeStrictly } from '../../grpc/codec.ts';
import { SMALL_REQUEST_BYTES_MAX } from '../../grpc/limits.ts';
import type { RpcMethod } from '../../grpc/service.ts';
import { unaryMethod } from '../../grpc/unary.ts';
import type { Check } from '../../grpc/validation.ts';
import { fromProtoTenant, toProtoTenant } from '../convert.ts';
import type { TenantStore } from '../ports.ts';
import { requireOperator } from './operator.ts';

/** The method on a store. */
export function createTenant(tenants: TenantStore, check: Check<CreateTenantRequest>): RpcMethod {
  return unaryMethod({
    requestBytesMax: SMALL_REQUEST_BYTES_MAX,
    decode: (bytes) => decodeStrictly(CreateTenantRequest, bytes),
    validate: check,
    response: CreateTenantResponse,
    async handle({ tenant }, call) {
      requireOperator(call);
      if (tenant === undefined) throw new TypeError('a request without a tenant passed validation');
      return { tenant: toProtoTenant(await tenants.create(tenant.id, fromProtoTenant(tenant), call)) };
    },
  });
}
