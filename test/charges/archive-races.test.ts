/** Archiving while the same charges are recorded again, corrected or archived, and while connections break. */

import { randomUUID } from 'node:crypto';

import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { Outcome } from '../../generated/charge/v1/charge_service.ts';
import { decodeStatus, errorOf, openTestServer } from '../support/server.ts';
import { waitFor } from '../support/wait-for.ts';
import { archive, closeLongAgo, createBatch, getCharge, recordAll } from './support/archive.ts';
import {
  amendCharge,
  type CorrectionServer,
  create,
  openCorrectionServer,
  voidCharge,
  watch,
} from './support/corrections.ts';

let server: CorrectionServer;
beforeEach(async () => {
  server = await openCorrectionServer();
});
afterEach(() => server.close());

async function createAll(requestIds: readonly string[]): Promise<string[]> {
  const { results } = await createBatch(server.client, requestIds);
  return results.map(({ charge }) => charge?.id ?? '');
}

/** Waits until so many sessions of the database wait for a lock. */
function locksToBeWaitedFor(count: number): Promise<unknown> {
  return waitFor(`${count} sessions that wait`, async () => {
    const { rows } = await server.pool.query<{ waits: number }>(
      `SELECT count(DISTINCT pid)::int AS waits FROM pg_locks JOIN pg_stat_activity USING (pid)
       WHERE NOT granted AND datname = current_database()`,
    );
    return (rows[0]?.waits ?? 0) >= count;
  });
}

/** Runs `work` while an archive has removed these charges and cannot commit, and then lets it. */
async function whileRemoved<T>(ids: readonly string[], work: () => Promise<T>): Promise<T> {
  const holder = await server.pool.connect();
  try {
    await holder.query(`BEGIN; SELECT FROM journal_head WHERE tenant = 'default' FOR UPDATE`);
    const archived = archive(server.client, ids);
    await locksToBeWaitedFor(1);
    const result = work();
    await locksToBeWaitedFor(2);
    await holder.query('COMMIT');
    expect(await archived).toMatchObject({ archived: ids.length });
    return await result;
  } finally {
    holder.release();
  }
}

describe.each(['read committed', 'repeatable read', 'serializable'])(
  'a request that is repeated at the moment when its charge is archived, at %s',
  (isolation) => {
    let other: Awaited<ReturnType<typeof openTestServer>>;
    beforeEach(async () => {
      const { rows } = await server.pool.query<{ name: string }>('SELECT current_database() AS name');
      await server.pool.query(
        `ALTER DATABASE ${rows[0]?.name} SET default_transaction_isolation = '${isolation}'`,
      );
      other = await openTestServer(server.url);
    });
    afterEach(() => other.close());

    test('waits, and makes no second charge', async () => {
      const [id = ''] = await createAll(['a']);
      await closeLongAgo(server.pool);
      const error = await whileRemoved([id], () => errorOf(create(other.client, 'a')));
      expect(error).toMatchObject({ reason: 'CHARGE_ARCHIVED', metadata: { charge_id: id } });
      expect(await server.rows()).toMatchObject({ charges: 0, sequence: 1 });
    });

    test('waits in a group with others, which are recorded once', async () => {
      const [, id = ''] = await createAll(['kept', 'a']);
      await closeLongAgo(server.pool);
      const { results } = await whileRemoved([id], () =>
        createBatch(other.client, ['n1', 'a', 'kept', 'n2', 'a']),
      );
      expect(results.map(({ outcome }) => outcome)).toEqual([
        Outcome.OUTCOME_CREATED,
        Outcome.OUTCOME_REJECTED,
        Outcome.OUTCOME_REPLAYED,
        Outcome.OUTCOME_CREATED,
        Outcome.OUTCOME_REJECTED,
      ]);
      expect(decodeStatus(results[1]?.status).reason).toBe('CHARGE_ARCHIVED');
      expect(await server.rows()).toMatchObject({ charges: 3, sequence: 4 });
    });
  },
);

test('whoever repeats requests while they are archived page by page, makes no second charge', async () => {
  const names = Array.from({ length: 600 }, (_, i) => `r${i}`);
  const ids = await createAll(names);
  await closeLongAgo(server.pool);
  const other = await openTestServer(server.url);
  let archiving = true;
  const answers = { replayed: 0, archived: 0 };
  const repeat = async (client: typeof other.client, way: typeof createBatch): Promise<void> => {
    while (archiving) {
      const { results } = await way(client, names);
      for (const { outcome, status } of results) {
        if (outcome === Outcome.OUTCOME_REPLAYED) answers.replayed++;
        else if (decodeStatus(status).reason === 'CHARGE_ARCHIVED') answers.archived++;
        else throw new Error(`unexpected: ${outcome} ${decodeStatus(status).message}`);
      }
    }
  };
  const recordWay: typeof createBatch = async (client, requestIds) => ({
    results: (await recordAll(client, requestIds)).flatMap(({ result }) => result ?? []),
  });
  try {
    const repeaters = [
      repeat(server.client, createBatch),
      repeat(other.client, createBatch),
      repeat(other.client, recordWay),
    ];
    for (let start = 0; start < ids.length; start += 20) {
      await archive(server.client, ids.slice(start, start + 20));
    }
    archiving = false;
    await Promise.all(repeaters);
  } finally {
    archiving = false;
    await other.close();
  }
  expect(answers.replayed).toBeGreaterThan(0);
  expect(answers.archived).toBeGreaterThan(0);
  expect(await server.rows()).toMatchObject({ charges: 0, sequence: 600 });
});

test('of an archive and corrections of the same charges, one wins for each charge', async () => {
  const { client } = server;
  const names = Array.from({ length: 40 }, (_, i) => `c${i}`);
  const ids = await createAll(names);
  await closeLongAgo(server.pool);
  const allow = { allowClosedPeriod: true };
  const corrections = names.map((name, i) =>
    i % 2 === 0
      ? voidCharge(client, name, allow)
      : amendCharge(client, name, `new-${name}`, { userProfile: 'bob' }, allow),
  );
  const archived = ids.map((id) => archive(client, [id]));
  const corrected = await Promise.allSettled(corrections);
  const removed = await Promise.allSettled(archived);
  for (const [i, name] of names.entries()) {
    const wins = [corrected[i]?.status, removed[i]?.status].sort();
    expect(wins).toEqual(['fulfilled', 'rejected']);
    if (corrected[i]?.status === 'fulfilled') await getCharge(client, name);
    else expect(await errorOf(getCharge(client, name))).toMatchObject({ reason: 'CHARGE_ARCHIVED' });
  }
  const done = corrected.filter(({ status }) => status === 'fulfilled').length;
  const events = await watch(client, done, {}, 41n);
  expect(events.map(({ event }) => event?.value.sequence)).toEqual(events.map((_, i) => BigInt(41 + i)));
});

test('two that archive the same charges at once archive each once', async () => {
  const ids = await createAll(Array.from({ length: 100 }, (_, i) => `c${i}`));
  await closeLongAgo(server.pool);
  const other = await openTestServer(server.url);
  try {
    const results = await Promise.all([archive(server.client, ids), archive(other.client, ids)]);
    expect(results.map(({ archived }) => archived).sort((a, b) => a - b)).toEqual([0, 100]);
    expect(results.map(({ alreadyArchived }) => alreadyArchived).sort((a, b) => a - b)).toEqual([0, 100]);
  } finally {
    await other.close();
  }
});

test('an archive whose session is terminated is tried again, and each charge is archived once', async () => {
  const ids = await createAll(Array.from({ length: 50 }, (_, i) => `c${i}`));
  await closeLongAgo(server.pool);
  const holder = await server.pool.connect();
  try {
    await holder.query(`BEGIN; SELECT FROM journal_head WHERE tenant = 'default' FOR UPDATE`);
    const result = archive(server.client, ids);
    await locksToBeWaitedFor(1);
    const { rowCount } = await server.pool.query(
      `SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_stat_activity USING (pid)
       WHERE NOT granted AND datname = current_database()`,
    );
    expect(rowCount).toBeGreaterThan(0);
    await locksToBeWaitedFor(1);
    await holder.query('COMMIT');
    expect(await result).toMatchObject({ archived: 50, alreadyArchived: 0 });
  } finally {
    holder.release();
  }
  expect(await server.rows()).toMatchObject({ charges: 0, sequence: 50 });
});

test('whatever is archived: every request is answered, nothing is recorded twice, and later events stay readable', async () => {
  const { client, pool } = server;
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.constantFrom('plain', 'void', 'amend', 'archive', 'void, archive', 'amend, archive'), {
        minLength: 1,
        maxLength: 12,
      }),
      async (plan) => {
        const run = randomUUID();
        const name = (i: number): string => `${run}-${i}`;
        const ids = await createAll(plan.map((_, i) => name(i)));
        for (const [i, steps] of plan.entries()) {
          const allow = { allowClosedPeriod: true };
          if (steps.startsWith('void')) await voidCharge(client, name(i), allow);
          if (steps.startsWith('amend'))
            await amendCharge(client, name(i), `new ${name(i)}`, { userProfile: 'bob' }, allow);
        }
        await pool.query('ALTER TABLE period_close DISABLE TRIGGER USER');
        await pool.query('DELETE FROM period_close');
        await closeLongAgo(pool);
        const { sequence: closed } = await server.rows();
        await create(client, `${run} later`);
        const gone = ids.filter((_, i) => plan[i]?.endsWith('archive'));
        if (gone.length > 0) await archive(client, gone);
        const before = await server.rows();

        const { results } = await createBatch(
          client,
          plan.map((_, i) => name(i)),
        );
        for (const [i, { outcome, charge, status }] of results.entries()) {
          if (plan[i]?.endsWith('archive'))
            expect(decodeStatus(status)).toMatchObject({ metadata: { charge_id: ids[i] } });
          else expect({ outcome, id: charge?.id }).toEqual({ outcome: Outcome.OUTCOME_REPLAYED, id: ids[i] });
        }
        expect(await server.rows()).toEqual(before);
        const [event] = await watch(client, 1, {}, BigInt(closed + 1));
        expect(event?.event).toMatchObject({
          $case: 'chargeCreated',
          value: { sequence: BigInt(closed + 1) },
        });
      },
    ),
    { numRuns: 20 },
  );
});
