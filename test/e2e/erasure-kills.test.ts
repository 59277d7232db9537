/** A person is erased while server processes are killed and others write: everything goes once, and every sum stays. */

import { ChannelCredentials } from '@grpc/grpc-js';
import { afterEach, beforeEach, expect, test } from '@jest/globals';

import {
  type BatchCreateChargesResponse,
  type ChargeServiceClient,
  Outcome,
} from '../../generated/charge/v1/charge_service.ts';
import { UserProfileErased } from '../../generated/charge/v1/event.ts';
import {
  type EraseUserProfileResponse,
  UserProfileServiceClient,
} from '../../generated/charge/v1/user_profile_service.ts';
import { requestOf } from '../charges/support/archive.ts';
import { createMigratedDatabase, query, type TestDatabase } from '../support/database.ts';
import { startTestNats, type TestNats } from '../support/nats.ts';
import { call, decodeError, decodeStatus } from '../support/server.ts';
import { Service } from '../support/service.ts';
import { readStream } from '../support/stream.ts';
import { waitFor } from '../support/wait-for.ts';
import { runCharge } from './support/charge-program.ts';

const BATCHES = 25;
const BATCH = 1000;
const PSEUDONYM = /^erased-[0-9a-f]{16}$/;

let database: TestDatabase;
let nats: TestNats;
let service: Service;
beforeEach(async () => {
  [database, nats] = await Promise.all([createMigratedDatabase(), startTestNats()]);
});
afterEach(async () => {
  await service.cleanUp();
  await Promise.all([database.drop(), nats.stop()]);
});

const idsOf = (batch: number) => Array.from({ length: BATCH }, (_, i) => `${batch}-${i}`);
const batchOf = (client: ChargeServiceClient, ids: readonly string[], userProfile = 'alice') => {
  const requests = ids.map((id) => requestOf(id, { userProfile, sessionKey: `${userProfile}-1` }));
  return call<BatchCreateChargesResponse>((callback) => client.batchCreateCharges({ requests }, callback));
};

/** The sums of all charges, as they are asked for. */
const totals = async (address: string) => {
  const { rows } = await runCharge(address, 'usage', '--from', '2026-09-01', '--to', '2026-10-01');
  return rows;
};

test('a kill in the middle, writers of the same person and a repeat leave nothing, and every sum as it was', async () => {
  service = new Service({ DATABASE_URL: database.url, NATS_URL: nats.url, PROCESSES: '2' });
  const { grpc } = await service.ready();
  const client = await service.client();
  for (let batch = 0; batch < BATCHES; batch++) await batchOf(client, idsOf(batch));
  await batchOf(client, ['b-1', 'b-2'], 'bob');
  const before = await totals(grpc);

  const profiles = new UserProfileServiceClient(grpc, ChannelCredentials.createInsecure());
  const erase = () =>
    call<EraseUserProfileResponse>((callback) => profiles.eraseUserProfile({ id: 'alice' }, callback));
  try {
    const first = await erase();
    expect(first).toMatchObject({
      pseudonym: expect.stringMatching(PSEUDONYM),
      charges: 10_000n,
      done: false,
    });
    expect(await totals(grpc)).toEqual(before);
    // While the next call works, every process is killed.
    const killed = erase().catch((error: unknown) => decodeError(error).code);
    await waitFor('the transaction', async () => {
      const rows = await query(
        database.url,
        `SELECT FROM pg_stat_activity WHERE datname = current_database() AND state = 'active'
           AND query LIKE '%erase_user_profile%' AND pid <> pg_backend_pid()`,
      );
      return rows.length > 0;
    });
    for (const pid of await service.serverPids()) process.kill(pid, 'SIGKILL');
    expect(await killed).toBe('UNAVAILABLE');
    await new Promise((resolve) => profiles.waitForReady(Date.now() + 20_000, resolve));
    expect(await totals(grpc)).toEqual(before);
  } finally {
    profiles.close();
  }

  // The command goes on, while others write charges of the same person and repeat old requests.
  let running = true;
  let late = 0;
  const other = await service.client();
  const writer = (async () => {
    while (running) {
      await batchOf(other, [`late-${late}`]);
      late += 1;
      const { results } = await batchOf(other, idsOf(0).slice(0, 10));
      for (const { outcome, status } of results) {
        expect(outcome).toBe(Outcome.OUTCOME_REJECTED);
        expect(decodeStatus(status).reason).toBe('CHARGE_ERASED');
      }
    }
  })();
  const erased = await runCharge(grpc, 'profile', 'erase', 'alice', '--yes');
  expect(erased).toMatchObject({ status: 'erased', pseudonym: expect.stringMatching(PSEUDONYM) });
  running = false;
  await writer;
  await runCharge(grpc, 'profile', 'erase', 'alice', '--yes');

  const users = await query(
    database.url,
    'SELECT user_profile AS user, count(*)::int AS charges FROM charge GROUP BY 1 ORDER BY 1',
  );
  expect(users).toEqual([
    { user: 'bob', charges: 2 },
    { user: erased['pseudonym'], charges: BATCHES * BATCH + late },
  ]);
  const events = await query(database.url, 'SELECT charges::int FROM erasure_event ORDER BY sequence');
  expect(events.reduce((sum, { charges }) => sum + Number(charges), 0)).toBe(BATCHES * BATCH + late);
  const published = await waitFor('the events in the stream', async () => {
    const messages = (await readStream(nats.url)).filter(({ subject }) => subject === 'user_profile.erased');
    return messages.length === events.length ? messages : undefined;
  });
  const [message] = published.map(({ payload }) => UserProfileErased.decode(payload));
  expect(message).toMatchObject({ pseudonym: erased['pseudonym'], userProfile: 'alice', tenant: 'default' });
  await waitFor('the sums', async () => {
    const [row] = await query(
      database.url,
      'SELECT sequence = last_sequence AS followed FROM usage_cursor JOIN journal_head USING (tenant)',
    );
    return row?.['followed'] === true;
  });
  expect(await runCharge(grpc, 'reconcile')).toMatchObject({ status: 'agrees' });
}, 180_000);
