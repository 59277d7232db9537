/** `charge.v1.TenantService`: which method does what. */

import * as proto from '../../../generated/charge/v1/tenant_service.ts';
import type { Codec } from '../../grpc/codec.ts';
import type { RpcService } from '../../grpc/service.ts';
import type { Check, ContractRules } from '../../grpc/validation.ts';
import type { ApiKeyStore, AuditLogReader, TenantStore } from '../ports.ts';
import { createApiKey } from './create-api-key.ts';
import { createTenant } from './create-tenant.ts';
import { getTenant } from './get-tenant.ts';
import { listApiKeys } from './list-api-keys.ts';
import { listAuditEntries } from './list-audit-entries.ts';
import { listTenants } from './list-tenants.ts';
import { resumeTenant } from './resume-tenant.ts';
import { revokeApiKey } from './revoke-api-key.ts';
import { rotateApiKey } from './rotate-api-key.ts';
import { suspendTenant } from './suspend-tenant.ts';
import { updateTenant } from './update-tenant.ts';

/** What the service works on; it owns none of it. */
export interface TenantServiceDependencies {
  readonly tenants: TenantStore;
  readonly apiKeys: ApiKeyStore;
  readonly auditLog: AuditLogReader;
  readonly rules: ContractRules;
}

/** The service, ready to be added to a server. */
export function tenantService({
  tenants,
  apiKeys,
  auditLog,
  rules,
}: TenantServiceDependencies): RpcService<typeof proto.TenantServiceService> {
  const check = <T>(name: string, codec: Codec<T>): Check<T> => rules.checkOf(`charge.v1.${name}`, codec);
  return {
    name: 'charge.v1.TenantService',
    definition: proto.TenantServiceService,
    methods: {
      createTenant: createTenant(tenants, check('CreateTenantRequest', proto.CreateTenantRequest)),
      getTenant: getTenant(tenants, check('GetTenantRequest', proto.GetTenantRequest)),
      listTenants: listTenants(tenants, check('ListTenantsRequest', proto.ListTenantsRequest)),
      updateTenant: updateTenant(tenants, check('UpdateTenantRequest', proto.UpdateTenantRequest)),
      suspendTenant: suspendTenant(tenants, check('SuspendTenantRequest', proto.SuspendTenantRequest)),
      resumeTenant: resumeTenant(tenants, check('ResumeTenantRequest', proto.ResumeTenantRequest)),
      createApiKey: createApiKey(apiKeys, check('CreateApiKeyRequest', proto.CreateApiKeyRequest)),
      listApiKeys: listApiKeys(apiKeys, check('ListApiKeysRequest', proto.ListApiKeysRequest)),
      rotateApiKey: rotateApiKey(apiKeys, check('RotateApiKeyRequest', proto.RotateApiKeyRequest)),
      revokeApiKey: revokeApiKey(apiKeys, check('RevokeApiKeyRequest', proto.RevokeApiKeyRequest)),
      listAuditEntries: listAuditEntries(
        auditLog,
        check('ListAuditEntriesRequest', proto.ListAuditEntriesRequest),
      ),
    },
  };
}
