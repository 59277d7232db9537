/** The sums of many tenants: one that is far behind delays the others by a step. */

import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';

import type { Database } from '../../src/database/orm.ts';
import { readBacklogs, UsageFollower } from '../../src/usage/store/journal-follower.ts';
import { openTestDatabase } from '../support/store.ts';
import { waitFor } from '../support/wait-for.ts';
import { ALL_TIMES, UsageStore } from './support/book.ts';

let store: UsageStore;
let database: Database;
let follower: UsageFollower | undefined;
/** The events of each step, and the lags that were reported. */
let followed: number[];
let lags: { readonly events: number; readonly lagMs: number }[];
const failures: unknown[] = [];

beforeAll(async () => {
  store = await UsageStore.open();
});
beforeEach(async () => {
  database = await openTestDatabase(store.store.url, { poolSizeMax: 1, everyTenant: true });
  [followed, lags] = [[], []];
});
afterEach(async () => {
  await follower?.stop();
  await database.close();
  expect(failures.splice(0)).toEqual([]);
});
afterAll(() => store.close());

function start(stepEventsMax: number, lagMaxMs: number): void {
  const events = {
    followed: (count: number) => followed.push(count),
    lag: (count: number, lagMs: number) => lags.push({ events: count, lagMs }),
    succeeded: () => undefined,
    failed: (error: unknown) => failures.push(error),
  };
  follower = new UsageFollower(database, { periodMs: 1, stepEventsMax, lagMaxMs }, events);
  follower.start();
}

const followedEvents = (): number => followed.reduce((sum, count) => sum + count, 0);

test('a tenant with many steps to go delays one with a single event by one step', async () => {
  const busy = await store.newBook();
  await busy.record(Array.from({ length: 60 }, () => ({})));
  const small = await store.newBook();
  await small.record([{}], '');
  start(2, 1);
  await waitFor('the sums of both', () => followedEvents() === 61);
  expect(followed.indexOf(1)).toBeLessThanOrEqual(1);
  expect((await small.ask({ filter: ALL_TIMES })).rows[0]?.sums.charges).toBe(1n);
  // As long as the busy one has not caught up, that is how long somebody waits.
  await waitFor('the end of the lag', () => lags.at(-1)?.events === 0 && lags.at(-1)?.lagMs === 0);
  const waits = lags.filter(({ events }) => events > 0).map(({ lagMs }) => lagMs);
  expect(waits).toEqual(waits.toSorted((a, b) => a - b));
});

test('each of thousands of tenants that are behind is seen, the smallest too, and gets its cursor', async () => {
  const small = await store.newBook();
  await small.record([{}], '');
  const { pool } = store.store.owner;
  // What they have to add is nothing, and has to be looked for all the same.
  await pool.query(
    `INSERT INTO journal_head (tenant, last_sequence) SELECT 'idle-' || n, 0 FROM generate_series(1, 8000) AS n
     UNION ALL SELECT 'behind-' || n, 3 FROM generate_series(1, 1200) AS n`,
  );
  const backlogs = await readBacklogs(database);
  expect(backlogs).toHaveLength(1_201);
  expect(backlogs).toContainEqual({ tenant: small.tenant, events: 1 });
  start(50_000, 1);
  await waitFor('all sums', () => followedEvents() === 3_601, { timeoutMs: 100_000 });
  expect(followed).toHaveLength(1_201);
  expect((await small.ask({ filter: ALL_TIMES })).rows[0]?.sums.charges).toBe(1n);
  expect(await readBacklogs(database)).toEqual([]);
});
