/** Followers that race, fail at any step and are killed, and answers while everything is written at once. */

import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import type { PoolClient } from 'pg';

import type { Database } from '../../src/database/orm.ts';
import { UsageFollower } from '../../src/usage/store/journal-follower.ts';
import { DIMENSION, type UsageQuery, WINDOW } from '../../src/usage/usage.ts';
import { chargeRequest, openTestDatabase } from '../support/store.ts';
import { waitFor } from '../support/wait-for.ts';
import { ALL_TIMES, type Answer, EVERYTHING, type UsageBook, UsageStore } from './support/book.ts';
import { chargesAfter, naiveRows } from './support/naive.ts';

const START = BigInt(Date.parse('2026-09-10T00:00:00Z')) * 1000n;
const QUARTER = 900_000_000n;
const USERS = ['alice', 'bob', 'carol'];

let store: UsageStore;
let book: UsageBook;
/** The connections of two followers, as two processes have them. */
let databases: [Database, Database];
beforeAll(async () => {
  store = await UsageStore.open();
});
beforeEach(async () => {
  book = await store.newBook();
  const open = () =>
    openTestDatabase(store.store.url, { poolSizeMax: 1, applicationName: 'follower', everyTenant: true });
  databases = [await open(), await open()];
});
afterEach(() => Promise.all(databases.map((database) => database.close())));
afterAll(() => store.close());

/** A question that each kind of kept sums answers, and one that reads charges. */
const QUESTIONS: readonly UsageQuery[] = [
  { ...EVERYTHING, groupBy: [DIMENSION.model] },
  { ...EVERYTHING, groupBy: [DIMENSION.userProfile], window: WINDOW.none },
  {
    ...EVERYTHING,
    window: WINDOW.hour,
    timeZone: 'Asia/Kolkata',
    filter: { startTimeMicros: START + QUARTER, endTimeMicros: START + 50n * QUARTER },
  },
  { ...EVERYTHING, groupBy: [DIMENSION.sessionKey] },
];

async function expectAnswers(): Promise<void> {
  const last = await book.lastSequence();
  const charges = [...chargesAfter(await book.events(last)).values()];
  for (const query of QUESTIONS) {
    expect(await book.ask(query)).toEqual({ rows: naiveRows(charges, query), asOfSequence: last });
  }
}

/** How far the kept sums are, and whether they hold what charges add up to, read without the tail of the journal. */
async function readCursor(): Promise<bigint> {
  const { pool } = store.store.owner;
  const { rows } = await pool.query<{ sequence: string }>(
    'SELECT sequence FROM usage_cursor WHERE tenant = $1',
    [book.tenant],
  );
  return BigInt(rows[0]?.sequence ?? -1);
}

const chargeOf = (index: number) => ({
  userProfile: USERS[index % 3] ?? '',
  model: `model-${index % 4}`,
  sessionKey: index % 5 === 0 ? 's' : '',
  promptTokens: BigInt(index),
  usageTimeMicros: START + BigInt(index % 60) * QUARTER,
});

/** Charges, voids, amendments and new costs: every kind of event. */
async function fill(charges: number): Promise<void> {
  const ids = await book.record(Array.from({ length: charges }, (_, index) => chargeOf(index)));
  await book.addPrice({ model: 'model-1', rates: { 1: 1_000_000n } });
  await book.reprice(false);
  for (const [index, id] of ids.entries()) {
    if (index % 7 === 0) await book.void(id);
    if (index % 7 === 1) await book.amend(id, chargeOf(index + 1));
  }
}

test('a sum of zeros is stored as NULL, until there is something to add', async () => {
  const stored = async () => {
    const { rows } = await store.store.owner.pool.query(
      `SELECT charges, prompt_tokens AS prompt, completion_tokens AS completion, cost_nanos AS cost FROM usage_rollup
       WHERE tenant = $1 AND level = 3`,
      [book.tenant],
    );
    return rows as unknown;
  };
  const content = { usageTimeMicros: START, promptTokens: 3n, completionTokens: 0n };
  await book.record([content]);
  await book.followAll();
  expect(await stored()).toEqual([{ charges: '1', prompt: '3', completion: null, cost: null }]);
  await book.record([{ ...content, completionTokens: 5n }]);
  await book.followAll();
  expect(await stored()).toEqual([{ charges: '2', prompt: '6', completion: '5', cost: null }]);
  await book.record([{ ...content, promptTokens: 0n }]);
  await book.followAll();
  expect(await stored()).toEqual([{ charges: '3', prompt: '6', completion: '5', cost: null }]);
  await expectAnswers();
});

test('two followers that race count every event once', async () => {
  await fill(150);
  const steps: number[] = [];
  const race = async (database: Database): Promise<void> => {
    for (;;) {
      const step = await book.follow(3, database);
      steps.push(step?.events ?? 0);
      if (step?.more === false) return;
    }
  };
  await Promise.all([...databases, ...databases].map(race));
  const last = await book.lastSequence();
  expect(BigInt(steps.reduce((sum, events) => sum + events, 0))).toBe(last);
  expect(await readCursor()).toBe(last);
  await expectAnswers();
});

/** Ends the backend of each client of this pool when it sends its n-th statement. */
function endAt(database: Database, place: number): { readonly sent: () => number; restore(): void } {
  const { pool } = database;
  const connect = pool.connect.bind(pool);
  let sent = 0;
  pool.connect = (async () => {
    const client = await connect();
    const query = client.query.bind(client) as (...args: unknown[]) => Promise<unknown>;
    client.query = (async (...args: unknown[]) => {
      if (sent++ === place) await endBackend(client);
      return query(...args);
    }) as never;
    return client;
  }) as never;
  return { sent: () => sent, restore: () => void (pool.connect = connect) };
}

async function endBackend(client: PoolClient): Promise<void> {
  const { processID } = client as unknown as { readonly processID: number };
  client.on('error', () => undefined);
  await store.store.owner.pool.query('SELECT pg_terminate_backend($1, 5000)', [processID]);
}

test('a follower whose backend ends at any statement leaves sums and cursor as they were before the step', async () => {
  await fill(30);
  const [database] = databases;
  let place = 0;
  for (; ; place++) {
    const before = await readCursor();
    const end = endAt(database, place);
    const result = await book.follow(5, database).catch(() => 'failed');
    end.restore();
    // It was never reached: every statement of a step has had its turn.
    if (end.sent() <= place) break;
    expect(result).toBe('failed');
    expect(await readCursor()).toBe(before);
    await expectAnswers();
    expect(await book.follow(4, database)).toMatchObject({ events: 4 });
    await expectAnswers();
  }
  // BEGIN, the settings, the cursor, the sums, the cursor again and COMMIT.
  expect(place).toBeGreaterThanOrEqual(6);
  await book.followAll(5);
  await expectAnswers();
});

test('answers are exact while four writers, a corrector and two followers that get killed work', async () => {
  const failures: unknown[] = [];
  const events = {
    followed: () => undefined,
    lag: () => undefined,
    succeeded: () => undefined,
    failed: (error: unknown) => failures.push(error),
  };
  const options = { periodMs: 1, stepEventsMax: 20, lagMaxMs: 1 };
  const followers = databases.map((database) => new UsageFollower(database, options, events));
  for (const follower of followers) follower.start();
  const ids: string[] = [];
  const write = async (_: unknown, place: number): Promise<void> => {
    const writer = store.store.anotherWriter();
    for (let round = 0; round < 40; round++) {
      const requests = Array.from({ length: 5 }, (_, index) =>
        chargeRequest(`${place}-${round}-${index}`, chargeOf(place + round * 5 + index)),
      );
      for (const result of await writer.record(book.tenant, requests)) {
        if (result.outcome === 'created') ids.push(result.charge.id);
      }
    }
  };
  const correct = async (): Promise<void> => {
    for (let index = 0; index < 100; index++) {
      const id = await waitFor('a charge', () => ids[(index * 7919) % ids.length]);
      if (index % 2 === 0) await book.void(id);
      else await book.amend(id, chargeOf(index + 17));
    }
  };
  let running = true;
  const work = Promise.all([...Array.from({ length: 4 }, write), correct()]).finally(() => (running = false));
  const answers: [UsageQuery, Answer][] = [];
  while (running) {
    for (const query of QUESTIONS) answers.push([query, await book.ask(query)]);
    await store.store.owner.pool.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()
         AND application_name = 'follower' AND (state <> 'idle' OR random() < 0.1)`,
    );
  }
  await work;
  await waitFor('the sums to reach the journal', async () => {
    return (await readCursor()) === (await book.lastSequence());
  });
  await Promise.all(followers.map((follower) => follower.stop()));
  await expectAnswers();
  expect(failures.length).toBeGreaterThan(0);
  expect(new Set(answers.map(([, { asOfSequence }]) => asOfSequence)).size).toBeGreaterThan(5);
  const journal = await book.events(await book.lastSequence());
  for (const [query, { rows, asOfSequence }] of answers) {
    const charges = chargesAfter(journal.slice(0, Number(asOfSequence)));
    expect(rows).toEqual(naiveRows(charges.values(), query));
    expect(await book.ask({ ...query, asOfSequence })).toEqual({ rows, asOfSequence });
  }
});

test('the follower brings the sums of all tenants to the end, in the order of its steps', async () => {
  await book.record(Array.from({ length: 25 }, (_, index) => chargeOf(index)));
  const other = await store.newBook();
  await other.record([{}], '');
  const followed: number[] = [];
  const events = {
    followed: (count: number) => followed.push(count),
    lag: () => undefined,
    succeeded: () => undefined,
    failed: () => undefined,
  };
  const options = { periodMs: 5, stepEventsMax: 10, lagMaxMs: 20 };
  const follower = new UsageFollower(databases[0], options, events);
  follower.start();
  await waitFor('the sums of both', () => followed.reduce((sum, count) => sum + count, 0) >= 26);
  await follower.stop();
  expect(followed).toEqual(expect.arrayContaining([10, 10, 5, 1]));
  await expectAnswers();
  expect((await other.ask({ filter: ALL_TIMES })).rows[0]?.sums.charges).toBe(1n);
});
