/** The tables of tenants. The migrations make them; a test compares the two. */

import { defineEntity, type InferEntity, p } from '@mikro-orm/core';

import { erasable, text } from '../database/entity-parts.ts';
import { textMap } from '../database/types/json-map.ts';
import { micros } from '../database/types/micros.ts';
import { optionalText } from '../database/types/optional.ts';

const limit = () => p.integer().default(0);

/** A tenant and its settings. */
export const TenantEntity = defineEntity({
  name: 'Tenant',
  tableName: 'tenant',
  properties: {
    /** The id. */
    tenant: text().primary(),
    displayName: optionalText(),
    createTimeMicros: micros().fieldName('create_time'),
    suspendTimeMicros: micros().fieldName('suspend_time').nullable(),
    /** A number of `charge.v1.UnknownUserProfiles`. */
    unknownUserProfiles: p.smallint().default(0),
    callsInFlightMax: limit(),
    streamsMax: limit(),
    chargesPerSecondMax: limit(),
  },
});
export type TenantRow = InferEntity<typeof TenantEntity>;

/** An API key. Its secret is not stored. */
export const ApiKeyEntity = defineEntity({
  name: 'ApiKey',
  tableName: 'api_key',
  properties: {
    /** Unique over all tenants: the tenant is not known when a key is looked up. */
    id: text().primary(),
    tenant: text(),
    /** SHA-256 of the secret. */
    secretHash: p.blob(),
    /** Names of `charge.v1.Scope` without their prefix. */
    scopes: p.array().columnType('text[]').$type<string[]>(),
    /** The one user profile that the key is for. Empty: all of the tenant. */
    userProfile: optionalText(),
    displayName: optionalText(),
    createTimeMicros: micros().fieldName('create_time'),
    expireTimeMicros: micros().fieldName('expire_time').nullable(),
    revokeTimeMicros: micros().fieldName('revoke_time').nullable(),
    /** To within an hour. */
    lastUseTimeMicros: micros().fieldName('last_use_time').nullable(),
  },
  indexes: [{ name: 'api_key_tenant_idx', properties: ['tenant', 'createTimeMicros', 'id'] }],
});
export type ApiKeyRow = InferEntity<typeof ApiKeyEntity>;

/** What an administrator did. Append-only. */
export const AuditEntryEntity = defineEntity({
  name: 'AuditEntry',
  tableName: 'audit_entry',
  properties: {
    tenant: text().primary(),
    /** UUIDv7: it has the time. */
    id: p.uuid().primary(),
    actor: text(),
    /** The tenant of the actor's credential. */
    actorTenant: text(),
    /** `charge.v1.TenantService/CreateTenant` and so on. */
    action: text(),
    target: optionalText(),
    /** The address that the call came from. */
    peer: optionalText(),
    details: textMap(),
  },
  triggers: [erasable('audit_entry')],
});
export type AuditEntryRow = InferEntity<typeof AuditEntryEntity>;

/** A user profile, by the id that charges name. A charge need not have one. */
export const UserProfileEntity = defineEntity({
  name: 'UserProfile',
  tableName: 'user_profile',
  properties: {
    tenant: text().primary(),
    id: text().primary(),
    displayName: optionalText(),
    email: optionalText(),
    labels: textMap(),
    externalIds: textMap(),
    createTimeMicros: micros().fieldName('create_time'),
    updateTimeMicros: micros().fieldName('update_time'),
    disableTimeMicros: micros().fieldName('disable_time').nullable(),
  },
});
export type UserProfileRow = InferEntity<typeof UserProfileEntity>;

export const tenantEntities = [TenantEntity, ApiKeyEntity, AuditEntryEntity, UserProfileEntity];
