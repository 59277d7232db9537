/** Administers API keys. */

import type { EntityManager } from '@mikro-orm/postgresql';

import { mapRows } from '../../database/map-rows.ts';
import type { ReadConnections } from '../../database/read-connections.ts';
import { timestamptzFromMicros } from '../../database/types/micros.ts';
import type { Failure } from '../../errors/failure.ts';
import { type Scope, SCOPES } from '../../grpc/principal.ts';
import { rfc3339 } from '../../grpc/timestamp.ts';
import {
  type ApiKey,
  type ApiKeyParts,
  formatApiKey,
  hashOfSecret,
  isActive,
  type NewApiKey,
  newApiKey,
} from '../api-key.ts';
import { ApiKeyEntity } from '../entity.ts';
import { apiKeyNotFound, scopesNotHeld, tenantNotFound } from '../errors.ts';
import type { ApiKeyPlace, ApiKeyStore, ApiKeyWithSecret, KeyAdministrator, Rotation } from '../ports.ts';
import { DEFAULT_TENANT } from '../tenant.ts';
import { type Acting, type Administration, nowMicros } from './administration.ts';
import { existingTenant, lockedTenant, readTenants } from './read-tenants.ts';

/** `reads`: for lists. */
export function createApiKeyStore(administration: Administration, reads: ReadConnections): ApiKeyStore {
  return {
    create: (tenant, content, actor) =>
      administration.run('CreateApiKey', tenant, actor, (acting) => create(acting, tenant, content, actor)),
    list: (tenant, before, limit) =>
      reads.use(tenant, async (em) => {
        await existingTenant(em, tenant);
        return readApiKeys(em, tenant, before, limit);
      }),
    rotate: (tenant, id, rotation, actor) =>
      administration.run('RotateApiKey', tenant, actor, (acting) =>
        rotate(acting, { tenant, id }, rotation, actor),
      ),
    revoke: (tenant, id, actor) =>
      administration.run('RevokeApiKey', tenant, actor, (acting) => revoke(acting, { tenant, id })),
  };
}

/** Whether a first key was made: not if there are `activeKeys`, which can administer already. */
export interface Bootstrap {
  readonly activeKeys: number;
  readonly created: ApiKeyWithSecret | undefined;
}

/** Creates a key of the operator with every scope, unless there is an active one with ADMIN and not `force`. */
export function bootstrapApiKey(administration: Administration, force: boolean): Promise<Bootstrap> {
  const principal = { tenant: DEFAULT_TENANT, name: 'command:bootstrap', scopes: new Set(SCOPES) };
  const actor: KeyAdministrator = { principal, peer: '' };
  const content = { displayName: 'bootstrap', scopes: SCOPES, userProfile: '', expireTimeMicros: undefined };
  return administration.run('CreateApiKey', DEFAULT_TENANT, actor, async (acting) => {
    // Of two commands at once, the second one has to find the key of the first.
    await lockedTenant(acting.em, DEFAULT_TENANT);
    const activeKeys = await countActiveKeys(acting.em, DEFAULT_TENANT, 'ADMIN');
    if (activeKeys > 0 && !force) return { activeKeys, created: undefined };
    const created = await create(acting, DEFAULT_TENANT, content, actor);
    return 'reason' in created ? created : { activeKeys, created };
  });
}

/** The active keys of the tenant with this scope. */
async function countActiveKeys(em: EntityManager, tenant: string, scope: Scope): Promise<number> {
  const [row] = await em.execute<{ count: string }[]>(
    `SELECT count(*) FROM api_key WHERE tenant = :tenant AND :scope::text = ANY (scopes)
     AND revoke_time IS NULL AND (expire_time IS NULL OR expire_time > now())`,
    { tenant, scope },
    { loggerContext: em.getLoggerContext() },
  );
  return Number(row?.count ?? 0);
}

async function create(
  { em, audit }: Acting,
  tenant: string,
  content: NewApiKey,
  { principal }: KeyAdministrator,
): Promise<ApiKeyWithSecret | Failure> {
  const [known] = await readTenants(em, [tenant]);
  if (known === undefined) return tenantNotFound(tenant);
  const missing = content.scopes.filter((scope) => !principal.scopes.has(scope));
  if (missing.length > 0) return scopesNotHeld(missing);
  const created = await insert(em, tenant, content);
  await audit({ target: created.apiKey.id, details: detailsOf(created.apiKey) });
  return created;
}

async function rotate(
  { em, audit }: Acting,
  key: Pick<ApiKey, 'tenant' | 'id'>,
  { overlapMicros, expireTimeMicros }: Rotation,
  { principal }: KeyAdministrator,
): Promise<(ApiKeyWithSecret & { previous: ApiKey }) | Failure> {
  const now = nowMicros();
  const before = await lockedKey(em, key);
  if ('reason' in before) return before;
  if (!isActive(before, now)) return apiKeyNotFound(key.id);
  const missing = before.scopes.filter((scope) => !principal.scopes.has(scope));
  if (missing.length > 0) return scopesNotHeld(missing);
  const created = await insert(em, key.tenant, { ...before, expireTimeMicros });
  const end = now + overlapMicros;
  const expires = before.expireTimeMicros;
  const previous = { ...before, expireTimeMicros: expires !== undefined && expires < end ? expires : end };
  await em.nativeUpdate(ApiKeyEntity, { id: key.id }, { expireTimeMicros: previous.expireTimeMicros });
  const details = detailsOf(created.apiKey).set('new_id', created.apiKey.id);
  await audit({
    target: key.id,
    details: details.set('previous_expire_time', rfc3339(previous.expireTimeMicros)),
  });
  return { ...created, previous };
}

async function revoke({ em, audit }: Acting, key: Pick<ApiKey, 'tenant' | 'id'>): Promise<ApiKey | Failure> {
  const before = await lockedKey(em, key);
  if ('reason' in before || before.revokeTimeMicros !== undefined) return before;
  const revoked = { ...before, revokeTimeMicros: nowMicros() };
  await em.nativeUpdate(ApiKeyEntity, { id: key.id }, { revokeTimeMicros: revoked.revokeTimeMicros });
  await audit({ target: key.id });
  return revoked;
}

async function insert(em: EntityManager, tenant: string, content: NewApiKey): Promise<ApiKeyWithSecret> {
  const parts: ApiKeyParts = newApiKey();
  const { displayName, scopes, userProfile, expireTimeMicros } = content;
  const apiKey: ApiKey = {
    ...{ id: parts.id, tenant, displayName, scopes, userProfile, expireTimeMicros },
    createTimeMicros: nowMicros(),
    revokeTimeMicros: undefined,
    lastUseTimeMicros: undefined,
  };
  const secretHash = hashOfSecret(parts.secret);
  await em.insert(ApiKeyEntity, { ...apiKey, scopes: [...scopes], secretHash });
  return { apiKey, key: formatApiKey(parts) };
}

/** The key, which nobody else changes until the transaction ends, or why there is none. */
async function lockedKey(
  em: EntityManager,
  { tenant, id }: Pick<ApiKey, 'tenant' | 'id'>,
): Promise<ApiKey | Failure> {
  const sql = 'SELECT * FROM api_key WHERE tenant = :tenant AND id = :id FOR UPDATE';
  const [found] = await read(em, sql, { tenant, id });
  if (found !== undefined) return found;
  const [known] = await readTenants(em, [tenant]);
  return known === undefined ? tenantNotFound(tenant) : apiKeyNotFound(id);
}

function readApiKeys(
  em: EntityManager,
  tenant: string,
  before: ApiKeyPlace | undefined,
  limit: number,
): Promise<ApiKey[]> {
  const condition = before === undefined ? '' : 'AND (create_time, id) < (:time::timestamptz, :id)';
  const time = before && timestamptzFromMicros(before.createTimeMicros);
  return read(
    em,
    `SELECT * FROM api_key WHERE tenant = :tenant ${condition} ORDER BY create_time DESC, id DESC LIMIT :limit`,
    { tenant, limit, time, id: before?.id },
  );
}

/** Nothing but this reads rows of keys here, and it leaves out what their secrets are checked with. */
async function read(em: EntityManager, sql: string, parameters: Record<string, unknown>): Promise<ApiKey[]> {
  const rows = await em.execute<object[]>(sql, parameters, { loggerContext: em.getLoggerContext() });
  return mapRows(em, ApiKeyEntity, rows).map((row) => ({
    id: row.id,
    tenant: row.tenant,
    displayName: row.displayName,
    scopes: row.scopes as Scope[],
    userProfile: row.userProfile,
    createTimeMicros: row.createTimeMicros,
    expireTimeMicros: row.expireTimeMicros ?? undefined,
    revokeTimeMicros: row.revokeTimeMicros ?? undefined,
    lastUseTimeMicros: row.lastUseTimeMicros ?? undefined,
  }));
}

function detailsOf({ scopes, displayName, userProfile, expireTimeMicros }: ApiKey): Map<string, string> {
  const details = new Map([['scopes', scopes.join(', ')]]);
  if (displayName !== '') details.set('display_name', displayName);
  if (userProfile !== '') details.set('user_profile', userProfile);
  if (expireTimeMicros !== undefined) details.set('expire_time', rfc3339(expireTimeMicros));
  return details;
}
