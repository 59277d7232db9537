/** TenantService through the front door, on a real database. */

import { ChannelCredentials } from '@grpc/grpc-js';
import { afterAll, beforeAll, expect, test } from '@jest/globals';

import { Scope } from '../../../generated/charge/v1/access.ts';
import {
  ApiKey,
  CreateApiKeyRequest,
  RotateApiKeyRequest,
  Tenant,
  TenantServiceClient,
  type UpdateTenantRequest,
} from '../../../generated/charge/v1/tenant_service.ts';
import { sealPageToken } from '../../../src/grpc/page-token.ts';
import { call, errorOf, openTestServer, type TestServer } from '../../support/server.ts';
import { openTestStore, type TestStore } from '../../support/store.ts';

let store: TestStore;
let server: TestServer;
let client: TenantServiceClient;
beforeAll(async () => {
  store = await openTestStore();
  server = await openTestServer(store.url);
  client = new TenantServiceClient(server.address, ChannelCredentials.createInsecure());
});
afterAll(async () => {
  client.close();
  await server.close();
  await store.close();
});

async function create(id: string, tenant: Partial<Tenant> = {}): Promise<Tenant | undefined> {
  const request = { tenant: Tenant.fromPartial({ id, ...tenant }) };
  return (await call<{ tenant: Tenant | undefined }>((done) => client.createTenant(request, done))).tenant;
}

async function actionsOf(tenantId: string): Promise<string[]> {
  const request = { tenantId, pageSize: 0, pageToken: '' };
  const { auditEntries } = await call<{ auditEntries: { action: string }[] }>((done) =>
    client.listAuditEntries(request, done),
  );
  return auditEntries.map(({ action }) => action.replace('charge.v1.TenantService/', ''));
}

test('a tenant is created once, and found by its id and in the list', async () => {
  expect(await create('acme', { displayName: 'Acme' })).toMatchObject({ id: 'acme', displayName: 'Acme' });
  expect(await errorOf(create('acme'))).toMatchObject({
    code: 'ALREADY_EXISTS',
    reason: 'TENANT_ALREADY_EXISTS',
  });
  const first = await call<{ tenants: Tenant[]; nextPageToken: string }>((done) =>
    client.listTenants({ pageSize: 1, pageToken: '' }, done),
  );
  expect(first.tenants.map(({ id }) => id)).toEqual(['acme']);
  const rest = await call<{ tenants: Tenant[] }>((done) =>
    client.listTenants({ pageSize: 100, pageToken: first.nextPageToken }, done),
  );
  expect(rest.tenants.map(({ id }) => id)).toContain('default');
  expect(await actionsOf('acme')).toEqual(['CreateTenant']);
  const missing = call((done) => client.getTenant({ tenantId: 'nobody' }, done));
  expect(await errorOf(missing)).toMatchObject({ code: 'NOT_FOUND', reason: 'TENANT_NOT_FOUND' });
});

test('fields of the mask are set, an unknown one is named, and suspending twice is one act', async () => {
  await create('changing');
  const update = (values: Pick<UpdateTenantRequest, 'updateMask'> & { tenant: Tenant }) =>
    call<{ tenant: Tenant | undefined }>((done) => client.updateTenant(values, done));
  const settings = { streamsMax: 4, chargesPerSecondMax: 2 };
  const tenant = Tenant.fromPartial({ id: 'changing', displayName: 'New', settings });
  const updated = await update({ tenant, updateMask: ['settings.streams_max'] });
  expect(updated.tenant).toMatchObject({
    displayName: '',
    settings: { streamsMax: 4, chargesPerSecondMax: 0 },
  });
  expect(await errorOf(update({ tenant, updateMask: ['id'] }))).toMatchObject({
    violations: [{ field: 'update_mask.paths[0]', rule: 'update_tenant.update_mask' }],
  });
  for (let times = 0; times < 2; times++) {
    await call((done) => client.suspendTenant({ tenantId: 'changing' }, done));
  }
  await call((done) => client.resumeTenant({ tenantId: 'changing' }, done));
  expect(await actionsOf('changing')).toEqual([
    'ResumeTenant',
    'SuspendTenant',
    'UpdateTenant',
    'CreateTenant',
  ]);
  const suspended = call((done) => client.suspendTenant({ tenantId: 'default' }, done));
  expect(await errorOf(suspended)).toMatchObject({
    violations: [{ field: 'tenant_id', rule: 'string.not_in' }],
  });
});

test('a key is shown once, rotated with an overlap and revoked, without its secret in the log', async () => {
  await create('keys');
  const apiKey = ApiKey.fromPartial({
    displayName: 'gateway',
    scopes: [Scope.SCOPE_RECORD, Scope.SCOPE_READ],
  });
  const request = CreateApiKeyRequest.fromPartial({ tenantId: 'keys', apiKey });
  const made = await call<{ apiKey: ApiKey | undefined; key: string }>((done) =>
    client.createApiKey(request, done),
  );
  const id = made.apiKey?.id ?? '';
  expect(made.key).toMatch(new RegExp(`^chg_${id}_[0-9a-f]{64}$`));
  const rotation = RotateApiKeyRequest.fromPartial({ tenantId: 'keys', id, overlap: { seconds: 60n } });
  const rotated = await call<{ apiKey: ApiKey | undefined; key: string; previous: ApiKey | undefined }>(
    (done) => client.rotateApiKey(rotation, done),
  );
  expect(rotated.apiKey).toMatchObject({ displayName: 'gateway', scopes: [1, 2], expireTime: undefined });
  expect(rotated.previous?.expireTime).toBeDefined();
  const revoke = () => call((done) => client.revokeApiKey({ tenantId: 'keys', id }, done));
  await revoke();
  await revoke();
  expect(await errorOf(call((done) => client.rotateApiKey(rotation, done)))).toMatchObject({
    reason: 'API_KEY_NOT_FOUND',
  });
  expect(await actionsOf('keys')).toEqual(['RevokeApiKey', 'RotateApiKey', 'CreateApiKey', 'CreateTenant']);
  const { rows } = await store.database.pool.query<{ log: string }>(
    'SELECT audit_entry::text AS log FROM audit_entry',
  );
  const secrets = [made.key, rotated.key].map((key) => key.slice(-64));
  expect(rows.some(({ log }) => secrets.some((secret) => log.includes(secret)))).toBe(false);
});

test('a page token that somebody has made up is refused, whatever is in it', async () => {
  const refused = { code: 'INVALID_ARGUMENT', reason: 'PAGE_TOKEN_INVALID' };
  const late = Buffer.alloc(16, 0x7f);
  for (const place of [Buffer.from('no id'), Buffer.from('a\0b'), Buffer.alloc(0), late]) {
    const page = (identity: unknown) => ({ pageSize: 1, pageToken: sealPageToken(place, identity) });
    const keys = { tenantId: 'default', ...page(['api keys', 'default']) };
    expect(await errorOf(call((done) => client.listApiKeys(keys, done)))).toMatchObject(refused);
    expect(await errorOf(call((done) => client.listTenants(page(['tenants']), done)))).toMatchObject(refused);
    const entries = { tenantId: 'default', ...page(['audit entries', 'default']) };
    const listed = call((done) => client.listAuditEntries(entries, done));
    // 16 bytes are a place, as good as any other.
    if (place === late) expect(await listed).toMatchObject({ nextPageToken: '' });
    else expect(await errorOf(listed)).toMatchObject(refused);
  }
});
