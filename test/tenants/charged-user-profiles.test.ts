/** What happens with charges of unknown and disabled user profiles, by the setting of the tenant. */

import { afterEach, beforeEach, expect, test } from '@jest/globals';

import type {
  AmendChargeResponse,
  BatchCreateChargesResponse,
  CreateChargeResponse,
} from '../../generated/charge/v1/charge_service.ts';
import { UNKNOWN_USER_PROFILES } from '../../src/tenants/index.ts';
import {
  call,
  createRequest,
  decodeStatus,
  errorOf,
  openTestServer,
  type TestServer,
} from '../support/server.ts';
import { openTestStore, type TestStore } from '../support/store.ts';
import { waitFor } from '../support/wait-for.ts';
import { UserProfiles } from './support.ts';

let store: TestStore;
/** Two processes on one database. */
let servers: TestServer[] = [];
let profiles: UserProfiles;
beforeEach(async () => {
  store = await openTestStore();
});
afterEach(async () => {
  profiles.close();
  for (const server of servers) await server.close();
  await store.close();
});

async function open(setting: keyof typeof UNKNOWN_USER_PROFILES): Promise<void> {
  await set(setting);
  servers = [await openTestServer(store.url), await openTestServer(store.url)];
  profiles = new UserProfiles(servers[0]?.address ?? '');
}

async function set(setting: keyof typeof UNKNOWN_USER_PROFILES): Promise<void> {
  await store.owner.pool.query("UPDATE tenant SET unknown_user_profiles = $1 WHERE tenant = 'default'", [
    UNKNOWN_USER_PROFILES[setting],
  ]);
}

function record(requestId: string, userProfile: string, process = 0): Promise<CreateChargeResponse> {
  return call((done) =>
    servers[process]?.client.createCharge(createRequest(requestId, { userProfile }), done),
  );
}

function recordBatch(
  requests: [requestId: string, userProfile: string][],
): Promise<BatchCreateChargesResponse> {
  const batch = { requests: requests.map(([id, userProfile]) => createRequest(id, { userProfile })) };
  return call((done) => servers[0]?.client.batchCreateCharges(batch, done));
}

async function storedRequests(): Promise<string[]> {
  const { rows } = await store.owner.pool.query<{ n: string }>(
    "SELECT coalesce(request_id, request_key::text) AS n FROM charge WHERE tenant = 'default' ORDER BY 1",
  );
  return rows.map(({ n }) => n);
}

test('a tenant that accepts records charges of anybody and creates nobody', async () => {
  await open('accept');
  await record('a', 'unknown');
  await profiles.create({ id: 'gone' });
  await profiles.disable('gone');
  await record('b', 'gone');
  expect((await profiles.list()).userProfiles.map(({ id }) => id)).toEqual(['gone']);
});

test('a tenant that refuses refuses each charge of an unknown user profile alone', async () => {
  await open('refuse');
  await profiles.create({ id: 'known' });
  await profiles.create({ id: 'off' });
  await profiles.disable('off');
  const { results } = await recordBatch([
    ['1', 'known'],
    ['2', 'nobody {"quoted", \\'],
    ['3', 'off'],
    ['4', 'known'],
    ['2', 'nobody {"quoted", \\'],
  ]);
  const outcomes = results.map(({ charge, status }) =>
    status === undefined ? charge?.userProfile : decodeStatus(status).reason,
  );
  const [created, unknown, disabled] = ['known', 'USER_PROFILE_NOT_FOUND', 'USER_PROFILE_DISABLED'];
  expect(outcomes).toEqual([created, unknown, disabled, created, unknown]);
  expect(decodeStatus(results[1]?.status)).toMatchObject({
    code: 'FAILED_PRECONDITION',
    metadata: { user_profile: 'nobody {"quoted", \\' },
  });
  expect(await storedRequests()).toEqual(['1', '4']);
  expect(await errorOf(record('5', 'off'))).toMatchObject({
    code: 'FAILED_PRECONDITION',
    reason: 'USER_PROFILE_DISABLED',
  });
  // The numbers of the journal have no gap: a refused charge has none.
  expect((await store.journal.read('default', 0n, 10)).map(({ sequence }) => sequence)).toEqual([1n, 2n]);
});

test('a refused request is recorded once its user profile is there', async () => {
  await open('refuse');
  expect(await errorOf(record('late', 'alice'))).toMatchObject({ reason: 'USER_PROFILE_NOT_FOUND' });
  await profiles.create({ id: 'alice' });
  expect(await record('late', 'alice', 1)).toMatchObject({ replayed: false });
  expect(await record('late', 'alice')).toMatchObject({ replayed: true });
});

test('a replay is answered with its charge, also if the user profile is disabled since', async () => {
  await open('refuse');
  await profiles.create({ id: 'alice' });
  const { charge } = await record('early', 'alice');
  await profiles.disable('alice');
  expect(await record('early', 'alice', 1)).toEqual({ charge, replayed: true });
  const { results } = await recordBatch([
    ['early', 'alice'],
    ['new', 'alice'],
  ]);
  expect(results[0]?.charge).toEqual(charge);
  expect(decodeStatus(results[1]?.status).reason).toBe('USER_PROFILE_DISABLED');
  expect(await storedRequests()).toEqual(['early']);
});

test('every process refuses from the moment on at which the user profile is disabled', async () => {
  await open('refuse');
  await profiles.create({ id: 'alice' });
  for (let round = 0; round < 20; round++) {
    await profiles.enable('alice');
    await record(`on-${round}`, 'alice', 1);
    await profiles.disable('alice');
    const refused = errorOf(record(`off-${round}`, 'alice', 1));
    expect(await refused).toMatchObject({ reason: 'USER_PROFILE_DISABLED' });
  }
});

test('a tenant that creates creates each unknown user profile with the charge, also in many groups at once', async () => {
  await open('create');
  await profiles.create({ id: 'off', displayName: 'Off' });
  await profiles.disable('off');
  const users = ['alice', 'bob', 'carol', 'off', 'dave'];
  await Promise.all(
    Array.from({ length: 400 }, (_, n) => record(`c-${n}`, users[n % users.length] ?? '', n % 2)),
  );
  const { userProfiles } = await profiles.list();
  expect(userProfiles.map(({ id }) => id)).toEqual(['alice', 'bob', 'carol', 'dave', 'off']);
  const off = userProfiles.at(-1);
  expect(off).toMatchObject({ displayName: 'Off' });
  expect(off?.disableTime).toBeDefined();
  expect(await storedRequests()).toHaveLength(400);
  // What is there already stays as it is.
  expect(await record('c-0', 'alice')).toMatchObject({ replayed: true });
});

function amend(userProfile: string): Promise<AmendChargeResponse> {
  const request = {
    ...createRequest('replacement', { userProfile, promptTokens: 1n }),
    key: { $case: 'chargeRequestId' as const, value: 'original' },
    reason: 'it was wrong',
    allowClosedPeriod: false,
  };
  return call((done) => servers[1]?.client.amendCharge(request, done));
}

test('a replacement follows the same rule', async () => {
  await open('refuse');
  await profiles.create({ id: 'alice' });
  await record('original', 'alice');
  expect(await errorOf(amend('nobody'))).toMatchObject({
    code: 'FAILED_PRECONDITION',
    reason: 'USER_PROFILE_NOT_FOUND',
  });
  expect(await storedRequests()).toEqual(['original']);
  const amended = await amend('alice');
  await profiles.disable('alice');
  expect(await amend('alice')).toMatchObject({ charge: { id: amended.charge?.id }, replayed: true });
});

test('a replacement that keeps a disabled user profile is recorded', async () => {
  await open('refuse');
  await profiles.create({ id: 'alice' });
  await record('original', 'alice');
  await profiles.create({ id: 'off' });
  for (const id of ['alice', 'off']) await profiles.disable(id);
  expect(await errorOf(amend('off'))).toMatchObject({ reason: 'USER_PROFILE_DISABLED' });
  expect(await amend('alice')).toMatchObject({ replayed: false });
});

test('a replacement creates its user profile', async () => {
  await open('create');
  await record('original', 'alice');
  await amend('bob');
  expect((await profiles.list()).userProfiles.map(({ id }) => id)).toEqual(['alice', 'bob']);
});

test('a change of the setting reaches a running process', async () => {
  await open('accept');
  await record('before', 'nobody');
  await set('refuse');
  let n = 0;
  await waitFor('the setting to arrive', () =>
    record(`after-${n++}`, 'nobody', 1).then(
      () => undefined,
      () => true,
    ),
  );
  expect(await errorOf(record('refused', 'nobody', 1))).toMatchObject({ reason: 'USER_PROFILE_NOT_FOUND' });
});
