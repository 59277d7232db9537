/** What a process knows of tenants, on a real database. */

import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';

import type { Database } from '../../../src/database/orm.ts';
import { ReadConnections } from '../../../src/database/read-connections.ts';
import { KnownTenants, type KnownTenantsOptions } from '../../../src/tenants/store/known-tenants.ts';
import { DEFAULT_SETTINGS } from '../../../src/tenants/tenant.ts';
import { createMigratedDatabase, query, type TestDatabase } from '../../support/database.ts';
import { openProxy } from '../../support/proxy.ts';
import { openTestDatabase } from '../../support/store.ts';
import { waitFor } from '../../support/wait-for.ts';

let testDatabase: TestDatabase;
let database: Database;
const open: KnownTenants[] = [];

beforeAll(async () => {
  testDatabase = await createMigratedDatabase();
  database = await openTestDatabase(testDatabase.url, { everyTenant: true });
});
afterEach(() => {
  for (const tenants of open.splice(0)) tenants.close();
});
afterAll(async () => {
  await database.close();
  await testDatabase.drop();
});

function openTenants(options: Partial<KnownTenantsOptions> = {}): KnownTenants {
  const tenants = new KnownTenants(database, new ReadConnections(database, 100), options);
  open.push(tenants);
  return tenants;
}

function run(sql: string): Promise<Record<string, unknown>[]> {
  return query(testDatabase.url, sql);
}

async function addTenant(tenant: string, streamsMax = 0): Promise<void> {
  await run(
    `INSERT INTO tenant (tenant, create_time, streams_max) VALUES ('${tenant}', now(), ${streamsMax})`,
  );
}

test('a tenant is loaded once and then known without a promise', async () => {
  await addTenant('first', 7);
  const tenants = openTenants();
  expect(tenants.settingsOf('first')).toEqual(DEFAULT_SETTINGS);
  const [one, other] = [tenants.find('first'), tenants.find('first')];
  expect(one).toBe(other);
  expect(await one).toMatchObject({ tenant: 'first', streamsMax: 7, suspendTimeMicros: undefined });
  expect(tenants.find('first')).toMatchObject({ tenant: 'first' });
  expect(tenants.settingsOf('first').streamsMax).toBe(7);
});

test('there is no tenant that nobody has created', async () => {
  const tenants = openTenants();
  expect(await tenants.find('nobody')).toBeUndefined();
  await addTenant('nobody');
  expect(await tenants.find('nobody')).toMatchObject({ tenant: 'nobody' });
});

test('what another process changes is known soon, and the settings of default without being asked for', async () => {
  await addTenant('changing');
  const tenants = openTenants({ refreshMs: 20 });
  await tenants.find('changing');
  await run(`UPDATE tenant SET streams_max = 3 WHERE tenant IN ('changing', 'default')`);
  await run(`UPDATE tenant SET suspend_time = now() WHERE tenant = 'changing'`);
  await waitFor('the changes', async () => {
    const changing = await tenants.find('changing');
    return changing?.suspendTimeMicros !== undefined && tenants.settingsOf('default').streamsMax === 3;
  });
  expect(tenants.settingsOf('changing').streamsMax).toBe(3);
});

test('a refresh reads what was committed before it was asked for, also while another one is in progress', async () => {
  await addTenant('renewed');
  const tenants = openTenants({ refreshMs: 60_000 });
  await tenants.find('renewed');
  const earlier = tenants.refresh();
  await run(`UPDATE tenant SET streams_max = 9 WHERE tenant = 'renewed'`);
  await Promise.all([earlier, tenants.refresh()]);
  expect(tenants.settingsOf('renewed').streamsMax).toBe(9);
});

test('tenants that are not used are forgotten, and no more are kept than the limit', async () => {
  for (const tenant of ['one', 'two', 'three', 'four']) await addTenant(tenant, 1);
  const tenants = openTenants({ refreshMs: 60_000, idleRefreshesMax: 2, tenantsMax: 3 });
  await tenants.refresh();
  for (const tenant of ['one', 'two', 'three']) await tenants.find(tenant);
  // With `default`, which always stays, these are four: the one that was known for the longest time had to go.
  expect(['one', 'two', 'three'].map((tenant) => tenants.settingsOf(tenant).streamsMax)).toEqual([0, 1, 1]);
  for (let refreshes = 0; refreshes < 3; refreshes++) {
    expect(tenants.settingsOf('three').streamsMax).toBe(1);
    await tenants.refresh();
  }
  expect(tenants.settingsOf('three').streamsMax).toBe(1);
  expect(tenants.settingsOf('two').streamsMax).toBe(0);
  expect(tenants.find('default')).toMatchObject({ tenant: 'default' });
});

test('while PostgreSQL is away, what is known stays, and the unknown is an error that says so', async () => {
  await addTenant('steady', 5);
  const url = new URL(testDatabase.url);
  const proxy = await openProxy({ host: url.hostname, port: Number(url.port) });
  url.port = String(proxy.port);
  const remote = await openTestDatabase(url.href, { everyTenant: true, connectTimeoutMs: 300 });
  try {
    const tenants = new KnownTenants(remote, new ReadConnections(remote, 100), { refreshMs: 60_000 });
    open.push(tenants);
    // On a busy machine, the first connection may take longer than its limit.
    await waitFor('the tenant', () => tenants.find('steady'));
    proxy.blackhole();
    proxy.cut();
    await tenants.refresh();
    expect(tenants.settingsOf('steady').streamsMax).toBe(5);
    await expect(tenants.find('unknown')).rejects.toMatchObject({
      failure: { reason: 'DATABASE_UNAVAILABLE' },
    });
  } finally {
    await remote.close();
    await proxy.close();
  }
});
