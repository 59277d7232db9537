/** `charge.v1.TenantService`: which method does what. */

import * as proto from '../../../generated/charge/v1/tenant_service.ts';
import type { RpcService } from '../../grpc/service.ts';
import type { ContractRules } from '../../grpc/validation.ts';
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
  return {
    name: 'charge.v1.TenantService',
    definition: proto.TenantServiceService,
    methods: {
      createTenant: createTenant(
        tenants,
        rules.checkOf('charge.v1.CreateTenantRequest', proto.CreateTenantRequest),
      ),
      getTenant: getTenant(tenants, rules.checkOf('charge.v1.GetTenantRequest', proto.GetTenantRequest)),
      listTenants: listTenants(
        tenants,
        rules.checkOf('charge.v1.ListTenantsRequest', proto.ListTenantsRequest),
      ),
      updateTenant: updateTenant(
        tenants,
        rules.checkOf('charge.v1.UpdateTenantRequest', proto.UpdateTenantRequest),
      ),
      suspendTenant: suspendTenant(
        tenants,
        rules.checkOf('charge.v1.SuspendTenantRequest', proto.SuspendTenantRequest),
      ),
      resumeTenant: resumeTenant(
        tenants,
        rules.checkOf('charge.v1.ResumeTenantRequest', proto.ResumeTenantRequest),
      ),
      createApiKey: createApiKey(
        apiKeys,
        rules.checkOf('charge.v1.CreateApiKeyRequest', proto.CreateApiKeyRequest),
      ),
      listApiKeys: listApiKeys(
        apiKeys,
        rules.checkOf('charge.v1.ListApiKeysRequest', proto.ListApiKeysRequest),
      ),
      rotateApiKey: rotateApiKey(
        apiKeys,
        rules.checkOf('charge.v1.RotateApiKeyRequest', proto.RotateApiKeyRequest),
      ),
      revokeApiKey: revokeApiKey(
        apiKeys,
        rules.checkOf('charge.v1.RevokeApiKeyRequest', proto.RevokeApiKeyRequest),
      ),
      listAuditEntries: listAuditEntries(
        auditLog,
        rules.checkOf('charge.v1.ListAuditEntriesRequest', proto.ListAuditEntriesRequest),
      ),
    },
  };
}
