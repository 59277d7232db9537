/** Converts between messages of `charge.v1` and tenants, keys and entries of the audit log. Nothing else does. */

import type { Scope as ProtoScope } from '../../generated/charge/v1/access.ts';
import {
  type ApiKey as ProtoApiKey,
  type AuditEntry as ProtoAuditEntry,
  type CreateApiKeyRequest,
  type RotateApiKeyRequest,
  Tenant as ProtoTenant,
  type UnknownUserProfiles,
  type UpdateTenantRequest,
} from '../../generated/charge/v1/tenant_service.ts';
import type { FieldViolation } from '../errors/failure.ts';
import { type Scope, SCOPES } from '../grpc/principal.ts';
import { fromProtoTimestamp, toProtoTimestamp } from '../grpc/timestamp.ts';
import type { ApiKey, NewApiKey } from './api-key.ts';
import { type AuditEntry, timeOfAuditEntry } from './audit.ts';
import type { Rotation } from './ports.ts';
import { DEFAULT_SETTINGS, type Tenant, TENANT_FIELDS, type TenantChange } from './tenant.ts';

const optionalTime = (micros: bigint | undefined) =>
  micros === undefined ? undefined : toProtoTimestamp(micros);

/** Everything that an operator can set. */
export function fromProtoTenant({ displayName, settings }: ProtoTenant): Required<TenantChange> {
  return { ...DEFAULT_SETTINGS, ...settings, displayName };
}

/** The message of a tenant. */
export function toProtoTenant(tenant: Tenant): ProtoTenant {
  const { callsInFlightMax, streamsMax, chargesPerSecondMax } = tenant;
  return {
    id: tenant.tenant,
    displayName: tenant.displayName,
    settings: {
      unknownUserProfiles: tenant.unknownUserProfiles as UnknownUserProfiles,
      ...{ callsInFlightMax, streamsMax, chargesPerSecondMax },
    },
    createTime: toProtoTimestamp(tenant.createTimeMicros),
    suspendTime: optionalTime(tenant.suspendTimeMicros),
  };
}

const FIELD_NAMES = Object.keys(TENANT_FIELDS) as (keyof typeof TENANT_FIELDS)[];

/** The new values that a request asks for. */
export function fromProtoUpdateTenantRequest({ tenant, updateMask }: UpdateTenantRequest): TenantChange {
  const values = fromProtoTenant(tenant ?? ProtoTenant.fromPartial({}));
  const isWanted = (name: keyof typeof TENANT_FIELDS): boolean =>
    updateMask === undefined
      ? Boolean(values[TENANT_FIELDS[name]])
      : updateMask.some((path) => path === '*' || path === name || name.startsWith(`${path}.`));
  const wanted = FIELD_NAMES.filter(isWanted).map((name) => TENANT_FIELDS[name]);
  return Object.fromEntries(wanted.map((field) => [field, values[field]]));
}

/** The paths of the mask that name nothing that can be changed. */
export function maskViolations({ updateMask = [] }: UpdateTenantRequest): FieldViolation[] {
  return updateMask.flatMap((path, index) => {
    if (path === '*' || path === 'settings' || path in TENANT_FIELDS) return [];
    const description = `must be one of *, settings, ${FIELD_NAMES.join(', ')}`;
    return [{ field: `update_mask.paths[${index}]`, description, rule: 'update_tenant.update_mask' }];
  });
}

/** What a request says about a new key. */
export function fromProtoCreateApiKeyRequest({ apiKey }: CreateApiKeyRequest): NewApiKey {
  if (apiKey === undefined) throw new TypeError('a request without a key passed validation');
  const { displayName, scopes, userProfile, expireTime } = apiKey;
  return {
    ...{ displayName, userProfile },
    scopes: scopes.map((number) => SCOPES[number - 1]).filter((scope): scope is Scope => scope !== undefined),
    expireTimeMicros: expireTime && fromProtoTimestamp(expireTime),
  };
}

const DEFAULT_OVERLAP = { seconds: 86_400n, nanos: 0 };

/** What a request says about the old key and the new one. */
export function fromProtoRotation({ overlap = DEFAULT_OVERLAP, expireTime }: RotateApiKeyRequest): Rotation {
  return {
    // Counted as a time since the epoch is.
    overlapMicros: fromProtoTimestamp(overlap),
    expireTimeMicros: expireTime && fromProtoTimestamp(expireTime),
  };
}

/** The message of a key. */
export function toProtoApiKey(apiKey: ApiKey): ProtoApiKey {
  return {
    ...{ id: apiKey.id, tenantId: apiKey.tenant, displayName: apiKey.displayName },
    scopes: apiKey.scopes.map((scope) => (SCOPES.indexOf(scope) + 1) as ProtoScope),
    userProfile: apiKey.userProfile,
    createTime: toProtoTimestamp(apiKey.createTimeMicros),
    expireTime: optionalTime(apiKey.expireTimeMicros),
    revokeTime: optionalTime(apiKey.revokeTimeMicros),
    lastUseTime: optionalTime(apiKey.lastUseTimeMicros),
  };
}

/** The message of an entry. */
export function toProtoAuditEntry(entry: AuditEntry): ProtoAuditEntry {
  const { id, actor, action, target, peer } = entry;
  return {
    ...{ id, actor, action, target, peer },
    tenantId: entry.tenant,
    actorTenantId: entry.actorTenant,
    createTime: toProtoTimestamp(timeOfAuditEntry(entry)),
    details: new Map(entry.details),
  };
}
