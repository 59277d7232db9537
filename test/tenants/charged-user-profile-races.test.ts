/** Charges at the moment at which their user profile is disabled, erased or created. */

import { randomUUID } from 'node:crypto';

import { ChannelCredentials } from '@grpc/grpc-js';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { PoolClient } from 'pg';

import type { AmendChargeResponse, CreateChargeResponse } from '../../generated/charge/v1/charge_service.ts';
import {
  type EraseUserProfileResponse,
  UserProfileServiceClient,
} from '../../generated/charge/v1/user_profile_service.ts';
import { UNKNOWN_USER_PROFILES } from '../../src/tenants/index.ts';
import { openProxy, type Proxy } from '../support/proxy.ts';
import {
  call,
  createRequest,
  decodeError,
  errorOf,
  openTestServer,
  type TestServer,
} from '../support/server.ts';
import { openTestStore, type TestStore } from '../support/store.ts';
import { waitFor } from '../support/wait-for.ts';
import { UserProfiles } from './support.ts';

let store: TestStore;
/** In front of the database of `server`. */
let proxy: Proxy;
let server: TestServer;
/** Another process on the same database. */
let other: TestServer;
let profiles: UserProfiles;
/** A transaction of the test, which others have to wait for. */
let blocker: PoolClient;
beforeEach(async () => {
  store = await openTestStore();
  const url = new URL(store.url);
  proxy = await openProxy({ host: url.hostname, port: Number(url.port) });
  blocker = await store.owner.pool.connect();
});
afterEach(async () => {
  blocker.release(true);
  profiles.close();
  await server.close();
  await other.close();
  await proxy.close();
  await store.close();
});

async function open(setting: keyof typeof UNKNOWN_USER_PROFILES): Promise<void> {
  await store.owner.pool.query("UPDATE tenant SET unknown_user_profiles = $1 WHERE tenant = 'default'", [
    UNKNOWN_USER_PROFILES[setting],
  ]);
  const url = new URL(store.url);
  url.host = `127.0.0.1:${proxy.port}`;
  server = await openTestServer(url.href);
  other = await openTestServer(store.url);
  profiles = new UserProfiles(other.address);
}

const record = (requestId: string, userProfile: string, { client } = server) =>
  call<CreateChargeResponse>((done) => client.createCharge(createRequest(requestId, { userProfile }), done));

async function block(statement: string): Promise<void> {
  await blocker.query('BEGIN');
  await blocker.query(statement);
}

/** Connections that wait for a lock. */
async function waiting(): Promise<number> {
  const { rows } = await store.owner.pool.query<{ n: number }>(
    "SELECT count(*)::int AS n FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
  );
  return rows[0]?.n ?? 0;
}

async function requestsOf(userProfile: string): Promise<string[]> {
  const { rows } = await store.owner.pool.query<{ request_id: string }>(
    'SELECT request_id FROM charge WHERE user_profile = $1 ORDER BY 1',
    [userProfile],
  );
  return rows.map(({ request_id }) => request_id);
}

test('a charge whose answer was lost is not refused if it is stored, though its user profile is disabled since', async () => {
  await open('refuse');
  await profiles.create({ id: 'alice' });
  await record('first', 'alice');
  await block('SELECT FROM journal_head FOR UPDATE');
  let answered = false;
  const answer = record('lost', 'alice').then(
    () => 'recorded',
    () => 'refused',
  );
  void answer.then(() => (answered = true));
  await waitFor('the charge to be written', async () => (await waiting()) === 1);
  // PostgreSQL does not notice, and goes on with the statement.
  proxy.cut();
  const disabled = profiles.disable('alice');
  await waitFor('another attempt', async () => answered || (await waiting()) >= 3);
  await blocker.query('COMMIT');
  await disabled;
  const isRecorded = (await answer) === 'recorded';
  await waitFor('all statements', async () => (await waiting()) === 0);
  expect(await requestsOf('alice')).toEqual(isRecorded ? ['first', 'lost'] : ['first']);
  expect(await errorOf(record('late', 'alice'))).toMatchObject({ reason: 'USER_PROFILE_DISABLED' });
});

test('no charge is committed after its user profile is disabled', async () => {
  await open('refuse');
  await profiles.create({ id: 'alice' });
  await record('first', 'alice');
  // The statement has found the user profile enabled, and waits for the request id.
  const requestId = randomUUID();
  await block(`CREATE TEMPORARY TABLE copy AS SELECT * FROM charge;
    UPDATE copy SET id = gen_random_uuid(), request_key = '${requestId}';
    INSERT INTO charge SELECT * FROM copy`);
  const waits = record(requestId, 'alice');
  await waitFor('the charge to wait', async () => (await waiting()) === 1);
  await profiles.disable('alice');
  await blocker.query('ROLLBACK');
  expect(await errorOf(waits)).toMatchObject({ reason: 'USER_PROFILE_DISABLED' });
  expect(await requestsOf('alice')).toEqual(['first']);
});

test('charges of others do not wait for the lock of the tenant after a user profile is disabled', async () => {
  await open('refuse');
  for (const id of ['alice', 'bob']) await profiles.create({ id });
  await record('first', 'alice');
  await profiles.disable('bob');
  await block('SELECT FROM tenant_lock FOR UPDATE');
  await record('second', 'alice');
  await blocker.query('COMMIT');
});

test('others are recorded in every process while a user profile is disabled and enabled all the time', async () => {
  await open('refuse');
  for (const id of ['alice', 'bob']) await profiles.create({ id });
  let toggling = true;
  let recorded = 0;
  const keepRecording = async (name: string, process: TestServer): Promise<void> => {
    for (let n = 0; toggling; n++, recorded++) await record(`${name}-${n}`, 'alice', process);
  };
  const refused = new Set<string | undefined>();
  const keepTrying = async (): Promise<void> => {
    for (let n = 0; toggling; n++)
      await record(`bob-${n}`, 'bob').catch((error: unknown) => refused.add(decodeError(error).reason));
  };
  const all = [
    keepRecording('a', server),
    keepRecording('b', server),
    keepRecording('c', other),
    keepTrying(),
  ];
  for (let round = 0; round < 40; round++) {
    await profiles.disable('bob');
    await profiles.enable('bob');
  }
  toggling = false;
  await Promise.all(all);
  expect(await requestsOf('alice')).toHaveLength(recorded);
  expect([...refused]).toEqual(['USER_PROFILE_DISABLED']);
});

test('an erasure and a charge of the same person do not wait for each other', async () => {
  await open('create');
  await record('early', 'alice');
  const client = new UserProfileServiceClient(other.address, ChannelCredentials.createInsecure());
  // The erasure waits after it has deleted the user profile.
  await block('LOCK TABLE audit_entry IN EXCLUSIVE MODE');
  const erased = call<EraseUserProfileResponse>((done) => client.eraseUserProfile({ id: 'alice' }, done));
  await waitFor('the erasure', async () => (await waiting()) === 1);
  // Another process does not know the user profile yet.
  await record('meanwhile', 'alice', other);
  await blocker.query('COMMIT');
  expect(await erased).toMatchObject({ charges: 1n, done: true });
  await record('late', 'alice');
  expect((await profiles.list()).userProfiles.map(({ id }) => id)).toEqual(['alice']);
  client.close();
});

test.each(['a charge', 'a replacement'])(
  'while %s waits for the user profile that it creates, others of the tenant are recorded',
  async (what) => {
    await open('create');
    await record('original', 'alice');
    await block(`INSERT INTO user_profile (tenant, id, create_time, update_time)
      VALUES ('default', 'bob', now(), now())`);
    const waits = what === 'a charge' ? record('waits', 'bob') : amend('original', 'waits', 'bob');
    await waitFor('it to wait', async () => (await waiting()) === 1);
    await record('meanwhile', 'alice', other);
    await blocker.query('COMMIT');
    await waits;
    expect(await requestsOf('bob')).toEqual(['waits']);
  },
);

function amend(original: string, requestId: string, userProfile: string): Promise<AmendChargeResponse> {
  const request = {
    ...createRequest(requestId, { userProfile }),
    key: { $case: 'chargeRequestId' as const, value: original },
    reason: 'another user',
    allowClosedPeriod: false,
  };
  return call((done) => server.client.amendCharge(request, done));
}
