/** The limits that an operator sets hold for the calls of the tenant. */

import { ChannelCredentials } from '@grpc/grpc-js';
import { afterEach, beforeEach, expect, test } from '@jest/globals';

import { ChargeServiceClient } from '../../../generated/charge/v1/charge_service.ts';
import {
  Tenant,
  TenantServiceClient,
  type TenantSettings,
} from '../../../generated/charge/v1/tenant_service.ts';
import { call, createRequest, errorOf, openTestServer, type TestServer } from '../../support/server.ts';
import { openTestStore, type TestStore } from '../../support/store.ts';
import { waitFor } from '../../support/wait-for.ts';

let store: TestStore;
let server: TestServer;
let tenants: TenantServiceClient;
let charges: ChargeServiceClient;
beforeEach(async () => {
  store = await openTestStore();
  server = await openTestServer(store.url);
  tenants = new TenantServiceClient(server.address, ChannelCredentials.createInsecure());
  charges = new ChargeServiceClient(server.address, ChannelCredentials.createInsecure());
});
afterEach(async () => {
  tenants.close();
  charges.close();
  await server.close();
  await store.close();
});

function set(settings: Partial<TenantSettings>): Promise<unknown> {
  const tenant = Tenant.fromPartial({ id: 'default', settings });
  return call((done) => tenants.updateTenant({ tenant, updateMask: ['settings'] }, done));
}

test('streams', async () => {
  await set({ streamsMax: 1 });
  const open = () => charges.watchCharges({ startSequence: undefined, filter: undefined });
  const first = open();
  first.on('error', () => undefined);
  await new Promise((resolve) => first.once('metadata', resolve));
  const second = open();
  const refused = await errorOf(new Promise((_, reject) => second.once('error', reject)));
  expect(refused).toMatchObject({ reason: 'TENANT_LIMIT_EXCEEDED', metadata: { limit: 'streams' } });
  first.cancel();
  await set({ streamsMax: 0 });
  const third = open();
  third.on('error', () => undefined);
  await new Promise((resolve) => third.once('metadata', resolve));
  third.cancel();
});

test('charges per second', async () => {
  await set({ chargesPerSecondMax: 1 });
  let next = 0;
  const create = () => call((done) => charges.createCharge(createRequest(`limited-${next++}`), done));
  await waitFor('a refusal', async () => {
    const outcome = await create().then(
      () => undefined,
      (error: unknown) => errorOf(Promise.reject(error as Error)),
    );
    if (outcome === undefined) return false;
    expect(outcome).toMatchObject({
      reason: 'TENANT_LIMIT_EXCEEDED',
      metadata: { limit: 'charges_per_second' },
    });
    return true;
  });
});
