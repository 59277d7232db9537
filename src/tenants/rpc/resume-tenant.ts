/** ResumeTenant: ends a suspension. */

import { ResumeTenantRequest, ResumeTenantResponse } from '../../../generated/charge/v1/tenant_service.ts';
import { decodeStrictly } from '../../grpc/codec.ts';
import { SMALL_REQUEST_BYTES_MAX } from '../../grpc/limits.ts';
import type { RpcMethod } from '../../grpc/service.ts';
import { unaryMethod } from '../../grpc/unary.ts';
import type { Check } from '../../grpc/validation.ts';
import { toProtoTenant } from '../convert.ts';
import type { TenantStore } from '../ports.ts';
import { requireOperator } from './operator.ts';

/** The method on a store. */
export function resumeTenant(tenants: TenantStore, check: Check<ResumeTenantRequest>): RpcMethod {
  return unaryMethod({
    requestBytesMax: SMALL_REQUEST_BYTES_MAX,
    decode: (bytes) => decodeStrictly(ResumeTenantRequest, bytes),
    validate: check,
    response: ResumeTenantResponse,
    async handle({ tenantId }, call) {
      requireOperator(call);
      return { tenant: toProtoTenant(await tenants.resume(tenantId, call)) };
    },
  });
}
