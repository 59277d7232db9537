/** UpdateTenant: new values for some fields. */

import { UpdateTenantRequest, UpdateTenantResponse } from '../../../generated/charge/v1/tenant_service.ts';
import { decodeStrictly } from '../../grpc/codec.ts';
import { SMALL_REQUEST_BYTES_MAX } from '../../grpc/limits.ts';
import type { RpcMethod } from '../../grpc/service.ts';
import { unaryMethod } from '../../grpc/unary.ts';
import type { Check } from '../../grpc/validation.ts';
import { fromProtoUpdateTenantRequest, maskViolations, toProtoTenant } from '../convert.ts';
import type { TenantStore } from '../ports.ts';
import { requireOperator } from './operator.ts';

/** The method on a store. */
export function updateTenant(tenants: TenantStore, check: Check<UpdateTenantRequest>): RpcMethod {
  return unaryMethod({
    requestBytesMax: SMALL_REQUEST_BYTES_MAX,
    decode: (bytes) => decodeStrictly(UpdateTenantRequest, bytes),
    validate: (request) => [...check(request), ...maskViolations(request)],
    response: UpdateTenantResponse,
    async handle(request, call) {
      requireOperator(call);
      const change = fromProtoUpdateTenantRequest(request);
      return { tenant: toProtoTenant(await tenants.update(request.tenant?.id ?? '', change, call)) };
    },
  });
}
