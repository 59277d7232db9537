/** SuspendTenant: refuses every call of a tenant. */

import { SuspendTenantRequest, SuspendTenantResponse } from '../../../generated/charge/v1/tenant_service.ts';
import { decodeStrictly } from '../../grpc/codec.ts';
import { SMALL_REQUEST_BYTES_MAX } from '../../grpc/limits.ts';
import type { RpcMethod } from '../../grpc/service.ts';
import { unaryMethod } from '../../grpc/unary.ts';
import type { Check } from '../../grpc/validation.ts';
import { toProtoTenant } from '../convert.ts';
import type { TenantStore } from '../ports.ts';
import { requireOperator } from './operator.ts';

/** The method on a store. */
export function suspendTenant(tenants: TenantStore, check: Check<SuspendTenantRequest>): RpcMethod {
  return unaryMethod({
    requestBytesMax: SMALL_REQUEST_BYTES_MAX,
    decode: (bytes) => decodeStrictly(SuspendTenantRequest, bytes),
    validate: check,
    response: SuspendTenantResponse,
    async handle({ tenantId }, call) {
      requireOperator(call);
      return { tenant: toProtoTenant(await tenants.suspend(tenantId, call)) };
    },
  });
}
