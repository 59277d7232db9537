/** Who may administer what: real API keys of an operator, of tenants, and of those who lack a scope. */

import { ChannelCredentials, type Metadata } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import { Scope } from '../../../generated/charge/v1/access.ts';
import {
  ApiKey,
  CreateApiKeyRequest,
  type CreateApiKeyResponse,
  RotateApiKeyRequest,
  Tenant,
  TenantServiceClient,
} from '../../../generated/charge/v1/tenant_service.ts';
import { OPEN } from '../../../src/tenants/credentials/settings.ts';
import { query, type TestDatabase } from '../../support/database.ts';
import { failureOf } from '../../support/errors.ts';
import { call, openTestServer, type TestServer } from '../../support/server.ts';
import { addKey, bearer, createTenantDatabase } from '../support/credentials.ts';

let database: TestDatabase;
let server: TestServer;
let client: TenantServiceClient;
/** Keys with ADMIN and nothing else: of the operator and of `acme`. */
let operator: Metadata;
let acme: Metadata;
/** A key of `globex` that may record. */
let globexKeyId: string;

beforeAll(async () => {
  database = await createTenantDatabase();
  server = await openTestServer(database.url, { credentials: { ...OPEN, required: true } });
  client = new TenantServiceClient(server.address, ChannelCredentials.createInsecure());
  operator = bearer((await addKey(database.url, { tenant: 'default', scopes: ['ADMIN'] })).key);
  acme = bearer((await addKey(database.url, { scopes: ['ADMIN'] })).key);
  globexKeyId = (await addKey(database.url, { tenant: 'globex' })).id;
});
afterAll(async () => {
  client.close();
  await server.close();
  await database.drop();
});

const PAGE = { pageSize: 0, pageToken: '' };
const keyRequest = (tenantId: string, ...scopes: Scope[]): CreateApiKeyRequest => ({
  ...CreateApiKeyRequest.fromPartial({ tenantId }),
  apiKey: { ...ApiKey.fromPartial({}), scopes },
});
const createKey = (tenantId: string, scopes: Scope[], metadata: Metadata) =>
  call<CreateApiKeyResponse>((done) => client.createApiKey(keyRequest(tenantId, ...scopes), metadata, done));
const rotate = (tenantId: string, id: string, metadata: Metadata) =>
  call((done) => client.rotateApiKey(RotateApiKeyRequest.fromPartial({ tenantId, id }), metadata, done));
const revoke = (tenantId: string, id: string, metadata: Metadata) =>
  call((done) => client.revokeApiKey({ tenantId, id }, metadata, done));

type Method = (tenantId: string, metadata: Metadata) => Promise<unknown>;

/** Those of the operator alone. */
const OPERATOR_METHODS: Readonly<Record<string, Method>> = {
  CreateTenant: (id, metadata) =>
    call((done) => client.createTenant({ tenant: Tenant.fromPartial({ id }) }, metadata, done)),
  ListTenants: (_, metadata) => call((done) => client.listTenants(PAGE, metadata, done)),
  UpdateTenant: (id, metadata) =>
    call((done) => {
      const tenant = Tenant.fromPartial({ id, settings: { streamsMax: 1_000_000 } });
      return client.updateTenant({ tenant, updateMask: undefined }, metadata, done);
    }),
  SuspendTenant: (tenantId, metadata) => call((done) => client.suspendTenant({ tenantId }, metadata, done)),
  ResumeTenant: (tenantId, metadata) => call((done) => client.resumeTenant({ tenantId }, metadata, done)),
};
/** Those that a tenant may call for itself. */
const TENANT_METHODS: Readonly<Record<string, Method>> = {
  GetTenant: (tenantId, metadata) => call((done) => client.getTenant({ tenantId }, metadata, done)),
  CreateApiKey: (tenantId, metadata) => createKey(tenantId, [Scope.SCOPE_ADMIN], metadata),
  ListApiKeys: (tenantId, metadata) =>
    call((done) => client.listApiKeys({ ...PAGE, tenantId }, metadata, done)),
  RotateApiKey: (tenantId, metadata) => rotate(tenantId, globexKeyId, metadata),
  RevokeApiKey: (tenantId, metadata) => revoke(tenantId, globexKeyId, metadata),
  ListAuditEntries: (tenantId, metadata) =>
    call((done) => client.listAuditEntries({ ...PAGE, tenantId }, metadata, done)),
};
const METHODS = Object.entries({ ...OPERATOR_METHODS, ...TENANT_METHODS });

/** Everything that a refused call could have changed. */
const stored = () =>
  query(
    database.url,
    `SELECT (SELECT json_agg(t ORDER BY tenant) FROM tenant t) AS tenants,
       (SELECT count(*) FROM audit_entry) AS entries,
       (SELECT json_agg(row(id, expire_time, revoke_time) ORDER BY id) FROM api_key) AS keys`,
  );

describe('an administrator of a tenant', () => {
  test.each(Object.entries(OPERATOR_METHODS))(
    'may not call %s, even for its own tenant',
    async (_, method) => {
      const before = await stored();
      for (const tenant of ['acme', 'globex', 'nobody']) {
        const failure = await failureOf(method(tenant, acme));
        expect(failure).toMatchObject({ code: 'PERMISSION_DENIED', metadata: { tenant_id: 'acme' } });
      }
      expect(await stored()).toEqual(before);
    },
  );

  test.each(Object.entries(TENANT_METHODS))(
    'may not name another tenant in %s, and does not learn whether it exists',
    async (_, method) => {
      const before = await stored();
      const there = await failureOf(method('globex', acme));
      expect(there).toMatchObject({ code: 'PERMISSION_DENIED', metadata: { tenant_id: 'acme' } });
      expect(await failureOf(method('nobody', acme))).toEqual(there);
      expect(await stored()).toEqual(before);
    },
  );

  test('administers its own keys, named or not, and no key of another tenant', async () => {
    for (const tenant of ['', 'acme']) {
      const { apiKey } = await createKey(tenant, [Scope.SCOPE_ADMIN], acme);
      expect(apiKey?.tenantId).toBe('acme');
      await rotate(tenant, apiKey?.id ?? '', acme);
      await revoke(tenant, apiKey?.id ?? '', acme);
      for (const change of [rotate, revoke]) {
        const failure = await failureOf(change(tenant, globexKeyId, acme));
        expect(failure).toMatchObject({ code: 'NOT_FOUND', reason: 'API_KEY_NOT_FOUND' });
      }
    }
    const list = call<{ apiKeys: ApiKey[] }>((done) =>
      client.listApiKeys({ ...PAGE, tenantId: '' }, acme, done),
    );
    const tenants = (await list).apiKeys.map(({ tenantId }) => tenantId);
    expect(new Set(tenants)).toEqual(new Set(['acme']));
  });
});

describe('an administrator who may not record', () => {
  const lacks = (scope: string) => ({
    code: 'PERMISSION_DENIED',
    reason: 'PERMISSION_DENIED',
    metadata: { required_scope: `SCOPE_${scope}` },
  });

  test('of a tenant or the operator, makes no key that may', async () => {
    for (const [metadata, tenant] of [
      [acme, ''],
      [operator, ''],
      [operator, 'globex'],
    ] as const) {
      const before = await stored();
      const scopes = [Scope.SCOPE_ADMIN, Scope.SCOPE_RECORD];
      expect(await failureOf(createKey(tenant, scopes, metadata))).toMatchObject(lacks('RECORD'));
      expect(await stored()).toEqual(before);
    }
    const { apiKey } = await createKey('globex', [Scope.SCOPE_ADMIN], operator);
    expect(apiKey).toMatchObject({ tenantId: 'globex', scopes: [Scope.SCOPE_ADMIN] });
  });

  test('does not get a key that may by rotating it, but can revoke it', async () => {
    const { id } = await addKey(database.url, { scopes: ['RECORD'] });
    expect(await failureOf(rotate('', id, acme))).toMatchObject(lacks('RECORD'));
    expect(await failureOf(rotate('acme', id, operator))).toMatchObject(lacks('RECORD'));
    await revoke('', id, acme);
    const [row] = await query(database.url, `SELECT revoke_time FROM api_key WHERE id = '${id}'`);
    expect(row?.['revoke_time']).not.toBeNull();
  });

  test.each(METHODS)('%s needs ADMIN, also of the operator', async (_, method) => {
    const before = await stored();
    const scopes = ['RECORD', 'READ', 'PRICE', 'BUDGET', 'CORRECT'] as const;
    for (const tenant of ['acme', 'default']) {
      const { key } = await addKey(database.url, { tenant, scopes });
      expect(await failureOf(method('acme', bearer(key)))).toMatchObject(lacks('ADMIN'));
      await query(database.url, `DELETE FROM api_key WHERE id = '${key.split('_')[1]}'`);
    }
    expect(await stored()).toEqual(before);
  });
});

test.each(METHODS)('%s is closed to a credential of one user profile', async (_, method) => {
  const options = { tenant: 'default', scopes: ['ADMIN'], userProfile: 'alice' } as const;
  const { key } = await addKey(database.url, options);
  const failure = await failureOf(method('acme', bearer(key)));
  expect(failure).toMatchObject({ code: 'PERMISSION_DENIED', metadata: { user_profile: 'alice' } });
});
