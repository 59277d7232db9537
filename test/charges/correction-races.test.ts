/** Corrections that race with each other, with new charges, and with failures of the database. */

import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';

import type { AmendChargeResponse, CreateChargeResponse } from '../../generated/charge/v1/charge_service.ts';
import { fromProtoCharge } from '../../src/charges/convert.ts';
import { CorrectionWriter } from '../../src/charges/store/correction-writer.ts';
import type { Database } from '../../src/database/orm.ts';
import { PriceBooks } from '../../src/prices/store/price-books.ts';
import { type DecodedError, decodeError, openTestServer } from '../support/server.ts';
import { ADMINISTRATOR, openTestDatabase } from '../support/store.ts';
import { waitFor } from '../support/wait-for.ts';
import {
  amendCharge,
  type CorrectionServer,
  create,
  listAll,
  openCorrectionServer,
  totalOfList,
  totalsOfEvents,
  voidCharge,
  watch,
} from './support/corrections.ts';

let server: CorrectionServer;
beforeEach(async () => {
  server = await openCorrectionServer();
});
afterEach(() => server.close());

/** Results, and errors as the contract describes them. */
async function settle<Result>(calls: readonly Promise<Result>[]) {
  const settled = await Promise.allSettled(calls);
  return {
    ok: settled.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : [])),
    errors: settled.flatMap((one): DecodedError[] =>
      one.status === 'rejected' ? [decodeError(one.reason)] : [],
    ),
  };
}

/** Expects the journal to be numbered without a gap, as many numbers as events. */
async function expectCompleteJournal(count: number): Promise<void> {
  const events = await watch(server.client, count);
  expect(events.map(({ event }) => event?.value.sequence)).toEqual(
    events.map((_, index) => BigInt(index + 1)),
  );
  expect(await server.rows()).toMatchObject({ sequence: count });
}

test('of 100 racing voids over 20 connections to two processes one wins, and no number is lost', async () => {
  await create(server.client, 'v');
  const other = await openTestServer(server.url);
  try {
    const clients = Array.from({ length: 20 }, (_, i) =>
      server.newClient(i % 2 === 0 ? undefined : other.address),
    );
    const calls = Array.from({ length: 100 }, (_, i) =>
      voidCharge(clients[i % 20] ?? server.client, 'v', { requestId: `void-${i}` }),
    );
    const { ok, errors } = await settle(calls);
    expect(ok).toHaveLength(1);
    expect(errors.map(({ reason }) => reason)).toEqual(Array(99).fill('CHARGE_ALREADY_CORRECTED'));
    const winner = ok[0]?.correction?.id;
    expect(new Set(errors.map(({ metadata }) => metadata['correction_id']))).toEqual(new Set([winner]));
    await expectCompleteJournal(2);
  } finally {
    await other.close();
  }
});

test('100 racing calls with one request id make one correction, and all get it', async () => {
  await create(server.client, 'v');
  const { ok } = await settle(Array.from({ length: 100 }, () => voidCharge(server.client, 'v')));
  expect(ok).toHaveLength(100);
  expect(ok.filter(({ replayed }) => !replayed)).toHaveLength(1);
  expect(new Set(ok.map(({ correction }) => correction?.id)).size).toBe(1);
  await expectCompleteJournal(2);
});

test('voids and amendments of one charge wait for who has locked the tenant, and then one of them wins', async () => {
  await create(server.client, 'c');
  const holder = await server.pool.connect();
  try {
    await holder.query(`BEGIN; SELECT FROM tenant_lock WHERE tenant = 'default' FOR UPDATE`);
    const voids = Array.from({ length: 10 }, (_, i) =>
      voidCharge(server.client, 'c', { requestId: `v${i}` }),
    );
    const amendments = Array.from({ length: 10 }, (_, i) =>
      amendCharge(server.client, 'c', `a${i}`, { promptTokens: BigInt(i) }),
    );
    const all = settle<unknown>([...voids, ...amendments]);
    await waitFor('a correction that waits for the lock', async () => {
      const { rows } = await server.pool.query<{ waits: number }>(
        `SELECT count(*)::int AS waits FROM pg_locks JOIN pg_stat_activity USING (pid)
         WHERE NOT granted AND datname = current_database()`,
      );
      return (rows[0]?.waits ?? 0) > 0;
    });
    // New charges do not wait.
    await create(server.client, 'meanwhile');
    await holder.query('COMMIT');
    const { ok, errors } = await all;
    expect(ok).toHaveLength(1);
    expect(errors.map(({ reason }) => reason)).toEqual(Array(19).fill('CHARGE_ALREADY_CORRECTED'));
  } finally {
    holder.release();
  }
  await expectCompleteJournal(3);
});

test('an amendment and a new charge that race for a request id: one of them gets it', async () => {
  const { client } = server;
  const names = Array.from({ length: 30 }, (_, i) => `${i}`);
  await Promise.all(names.map((name) => create(client, `original-${name}`)));
  const calls = names.flatMap((name): Promise<AmendChargeResponse | CreateChargeResponse>[] => [
    amendCharge(client, `original-${name}`, `new-${name}`, { userProfile: 'amended' }),
    create(client, `new-${name}`, { userProfile: 'created' }),
  ]);
  const { ok, errors } = await settle(calls);
  expect(ok).toHaveLength(30);
  expect(errors.map(({ reason }) => reason)).toEqual(Array(30).fill('REQUEST_ID_REUSED'));
  const byUser = (userProfile: string) => listAll(client, { userProfile });
  const [amended, created, originals] = [
    await byUser('amended'),
    await byUser('created'),
    await byUser('alice'),
  ];
  expect(amended.length + created.length).toBe(30);
  expect(originals).toHaveLength(created.length);
  await expectCompleteJournal(60);
});

test('voids of many charges over two processes are all done, once each', async () => {
  const { client } = server;
  const names = Array.from({ length: 400 }, (_, i) => `${i}`);
  await Promise.all(names.map((name) => create(client, name)));
  const other = await openTestServer(server.url);
  try {
    const late = Promise.all(names.map((name) => create(client, `late-${name}`)));
    const { ok } = await settle(
      names.flatMap((name) => [voidCharge(client, name), voidCharge(other.client, name)]),
    );
    expect(ok).toHaveLength(800);
    expect(ok.filter(({ replayed }) => !replayed)).toHaveLength(400);
    await late;
  } finally {
    await other.close();
  }
  await expectCompleteJournal(1_200);
  expect(totalsOfEvents(await watch(client, 1_200)).get('alice')).toEqual(await totalOfList(client));
  expect(await totalOfList(client)).toMatchObject({ charges: 400, nanos: 400n * 7_500_000n });
});

describe('a correction', () => {
  let database: Database;
  const options = { groupSizeMax: 100, queueSizeMax: 5, retryForMs: 5_000, retryAfterMs: 100 };
  const newWriter = (changes: Partial<typeof options> = {}) =>
    new CorrectionWriter(
      database,
      new PriceBooks(database.em, () => undefined),
      { ...options, unknownUserProfilesOf: () => 0, ...changes },
      { committed: () => undefined },
    );
  const request = (name: string) =>
    ({
      kind: 'void',
      key: { requestId: name },
      requestId: `void-${name}`,
      reason: 'test',
      allowClosedPeriod: false,
    }) as const;
  beforeEach(async () => {
    database = await openTestDatabase(server.url, { poolSizeMax: 1 });
  });
  afterEach(() => database.close());

  /** Loses the reply to each statement that `isLost` chooses, after it was executed, once. */
  function loseReply(isLost: (sql: string) => boolean): { readonly lost: number } {
    const original = database.pool.connect.bind(database.pool);
    const state = { lost: 0 };
    database.pool.connect = (async () => {
      const client = await original();
      const query = client.query.bind(client) as (...args: unknown[]) => Promise<unknown>;
      client.query = (async (...args: unknown[]) => {
        const result = await query(...args);
        const [statement] = args as [string | { text: string }];
        const sql = typeof statement === 'string' ? statement : statement.text;
        if (state.lost === 0 && isLost(sql)) {
          state.lost++;
          throw new Error('Connection terminated unexpectedly');
        }
        return result;
      }) as typeof client.query;
      return client;
    }) as never;
    return state;
  }

  test.each([
    ['COMMIT', (sql: string) => sql === 'COMMIT'],
    ['the correction', (sql: string) => sql.includes('INSERT INTO correction')],
  ])('is done once, and is no replay, when the reply to %s is lost', async (_, isLost) => {
    await create(server.client, 'v');
    await create(server.client, 'a');
    const writer = newWriter();
    const first = loseReply(isLost);
    expect(await writer.voidCharge('default', request('v'), ADMINISTRATOR)).toMatchObject({
      replayed: false,
      correction: { sequence: 3n },
    });
    expect(first.lost).toBe(1);
    await database.close();
    database = await openTestDatabase(server.url, { poolSizeMax: 1 });
    const second = loseReply(isLost);
    const { charge } = await create(server.client, 'a');
    const amendment = {
      ...request('a'),
      kind: 'amend',
      requestId: 'n',
      content: { ...(await contentOf('a')), promptTokens: 1n },
    } as const;
    expect(await newWriter().amendCharge('default', amendment, ADMINISTRATOR)).toMatchObject({
      replayed: false,
      replacement: { amends: charge?.id },
      correction: { sequence: 4n },
    });
    expect(second.lost).toBe(1);
    expect(await server.rows()).toMatchObject({ charges: 3, corrections: 2, sequence: 4 });
  });

  async function contentOf(requestId: string) {
    const { charge } = await create(server.client, requestId);
    if (charge === undefined) throw new Error('no charge');
    return fromProtoCharge(charge);
  }

  test('is refused when too many wait, and withdrawn when its caller has left', async () => {
    await create(server.client, 'v');
    const writer = newWriter();
    const holder = await server.pool.connect();
    try {
      await holder.query(`BEGIN; SELECT FROM tenant_lock WHERE tenant = 'default' FOR UPDATE`);
      const first = writer.voidCharge('default', request('v'), ADMINISTRATOR);
      await waitFor('the first one to wait for the lock', async () => {
        const { rows } = await server.pool.query('SELECT FROM pg_locks WHERE NOT granted');
        return rows.length > 0;
      });
      const left = { ...ADMINISTRATOR, aborted: false };
      const waiting = Array.from({ length: 5 }, (_, i) =>
        writer.voidCharge('default', { ...request('v'), requestId: `w${i}` }, left),
      );
      await expect(writer.voidCharge('default', request('x'), ADMINISTRATOR)).rejects.toMatchObject({
        failure: { reason: 'OVERLOADED', metadata: { limit: 'write_queue' } },
      });
      left.aborted = true;
      await holder.query('COMMIT');
      await first;
      for (const one of waiting)
        await expect(one).rejects.toMatchObject({ failure: { reason: 'CANCELLED' } });
    } finally {
      holder.release();
    }
    expect(await server.rows()).toMatchObject({ corrections: 1, sequence: 2 });
  });

  test('ends with DATABASE_UNAVAILABLE when PostgreSQL stays away, and says that nothing was stored', async () => {
    await create(server.client, 'v');
    const writer = newWriter({ retryForMs: 300 });
    database.pool.connect = (() => Promise.reject(new Error('Connection terminated unexpectedly'))) as never;
    await expect(writer.voidCharge('default', request('v'), ADMINISTRATOR)).rejects.toMatchObject({
      failure: {
        reason: 'DATABASE_UNAVAILABLE',
        message: expect.stringContaining('Nothing was stored') as unknown,
      },
    });
    expect(await server.rows()).toMatchObject({ corrections: 0 });
  });

  test('of a tenant without a journal stores nothing', async () => {
    const writer = newWriter();
    await expect(writer.closePeriod('nobody', 0n, ADMINISTRATOR)).rejects.toThrow(/tenant_lock/);
    expect(await server.rows()).toMatchObject({ closed: 0 });
  });
});
