import { setImmediate as nextTurn } from 'node:timers/promises';

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';

import type { Charge, ChargeFilter } from '../../../src/charges/charge.ts';
import type { ChargeReader, ListQuery, ReadOptions } from '../../../src/charges/ports.ts';
import { JournalFollower } from '../../../src/journal/follower.ts';
import { ChargeEventReader } from '../../../src/charges/store/charge-events.ts';
import type { Database } from '../../../src/database/orm.ts';
import { ReadConnections } from '../../../src/database/read-connections.ts';
import { statementsOf } from '../../support/explain.ts';
import {
  chargeRequest,
  openTestDatabase,
  openTestStore,
  readerOf,
  type TestStore,
} from '../../support/store.ts';
import { waitFor } from '../../support/wait-for.ts';

const TENANT = 'default';
let store: TestStore;

beforeAll(async () => {
  store = await openTestStore();
  await store.writer.record(
    TENANT,
    Array.from({ length: 200 }, (_, i) =>
      chargeRequest(`list-${i}`, {
        userProfile: `user-${i % 3}`,
        sessionKey: i % 2 === 0 ? 'even' : '',
        provider: 1 + (i % 2),
        chargeType: 1 + (i % 3),
        model: `model-${i % 4}`,
        reference: i % 10 === 0 ? 'invoice' : '',
        labels:
          i % 5 === 0
            ? new Map([
                ['team', 'red'],
                ['n', String(i % 2)],
              ])
            : new Map(),
        // Runs of equal times: pages must not lose or repeat a charge at their borders.
        usageTimeMicros: 1_000_000n * BigInt(Math.floor(i / 7)),
      }),
    ),
  );
});
afterAll(() => store.close());

const NO_CHARGE = '00000000-0000-7000-8000-000000000000';
const ANY_PAGE: ListQuery = {
  filter: {},
  order: 'newest_first',
  includeCorrected: false,
  limit: 1,
  after: undefined,
};

/** Nobody can read a charge while `work` runs. */
async function withLockedCharges(work: () => Promise<void>): Promise<void> {
  const client = await store.owner.pool.connect();
  try {
    await client.query('BEGIN; LOCK TABLE charge IN ACCESS EXCLUSIVE MODE');
    await work();
  } finally {
    await client.query('ROLLBACK');
    client.release();
  }
}

async function pages(query: Omit<ListQuery, 'after'>, between?: () => Promise<unknown>): Promise<Charge[]> {
  const all: Charge[] = [];
  let after: ListQuery['after'];
  do {
    const { charges, next } = await store.reader.list(TENANT, { ...query, after });
    all.push(...charges);
    after = next;
    await between?.();
  } while (after !== undefined);
  return all;
}

describe('listing', () => {
  test.each(['newest_first', 'oldest_first'] as const)('pages through everything once, %s', async (order) => {
    const all = await pages({ filter: {}, order, includeCorrected: false, limit: 9 });
    expect(new Set(all.map(({ id }) => id)).size).toBe(200);
    const keys = all.map(
      ({ usageTimeMicros, id }) => `${usageTimeMicros.toString().padStart(20, '0')}/${id}`,
    );
    expect(keys).toEqual(order === 'oldest_first' ? keys.toSorted() : keys.toSorted().reverse());
  });

  test.each<[string, ChargeFilter, (i: number) => boolean]>([
    ['user profile', { userProfile: 'user-1' }, (i) => i % 3 === 1],
    ['session', { sessionKey: 'even' }, (i) => i % 2 === 0],
    ['provider', { provider: 2 }, (i) => i % 2 === 1],
    ['charge type', { chargeType: 3 }, (i) => i % 3 === 2],
    ['model', { model: 'model-3' }, (i) => i % 4 === 3],
    ['reference', { reference: 'invoice' }, (i) => i % 10 === 0],
    ['one label', { labels: new Map([['team', 'red']]) }, (i) => i % 5 === 0],
    [
      'two labels',
      {
        labels: new Map([
          ['team', 'red'],
          ['n', '1'],
        ]),
      },
      (i) => i % 10 === 5,
    ],
    [
      'a time range, its end excluded',
      { startTimeMicros: 2_000_000n, endTimeMicros: 5_000_000n },
      (i) => i >= 14 && i < 35,
    ],
    ['everything at once', { userProfile: 'user-0', provider: 1, model: 'model-0' }, (i) => i % 12 === 0],
  ])('filters by %s', async (_, filter, matches) => {
    const found = await pages({ filter, order: 'oldest_first', includeCorrected: false, limit: 50 });
    const expected = Array.from({ length: 200 }, (_unused, i) => i).filter(matches);
    expect(found).toHaveLength(expected.length);
  });

  test('neither loses nor repeats a charge while others write', async () => {
    let written = 0;
    const all = await pages(
      { filter: { userProfile: 'user-2' }, order: 'oldest_first', includeCorrected: false, limit: 4 },
      () =>
        store.writer.record(
          TENANT,
          [0n, 10n ** 9n].map((usageTimeMicros) =>
            chargeRequest(`while-${written++}`, { userProfile: 'user-2', usageTimeMicros }),
          ),
        ),
    );
    const ids = all.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(all.filter(({ usageTimeMicros }) => usageTimeMicros < 10n ** 9n).length).toBeGreaterThanOrEqual(
      66,
    );
  });

  test('goes on after any place, also one that no charge can have', async () => {
    const list = async (order: ListQuery['order'], id: string): Promise<readonly Charge[]> => {
      const page = await store.reader.list(TENANT, {
        filter: {},
        order,
        includeCorrected: false,
        limit: 1,
        after: { usageTimeMicros: 0n, id },
      });
      return page.charges;
    };
    const [afterFirst] = await list('oldest_first', 'ffffffff-ffff-ffff-ffff-ffffffffffff');
    expect(afterFirst?.usageTimeMicros).toBe(1_000_000n);
    expect(await list('newest_first', '00000000-0000-0000-0000-000000000000')).toEqual([]);
  });
});

const READS: [string, (reader: ChargeReader, options: ReadOptions) => Promise<unknown>][] = [
  ['by id', (reader, options) => reader.findById(TENANT, NO_CHARGE, options)],
  ['by request id', (reader, options) => reader.findByRequestId(TENANT, 'list-0', options)],
  ['a list', (reader, options) => reader.list(TENANT, ANY_PAGE, options)],
];

describe.each(READS)('a caller’s deadline, %s', (_, read) => {
  let database: Database;
  let reader: ChargeReader;
  beforeEach(async () => {
    database = await openTestDatabase(store.url, { poolSizeMax: 1, statementTimeoutMs: 60_000 });
    reader = readerOf(new ReadConnections(database, 100), database);
  });
  afterEach(() => database.close());

  test('ends the statement and leaves the connection as it was', async () => {
    const connection = 'SELECT pg_backend_pid() AS pid, current_setting($1) AS limit';
    const before = await database.pool.query(connection, ['statement_timeout']);
    await withLockedCharges(() =>
      expect(read(reader, { timeoutMs: 50 })).rejects.toMatchObject({
        failure: { reason: 'DEADLINE_EXCEEDED' },
      }),
    );
    await read(reader, { timeoutMs: 5_000 });
    const after = await database.pool.query(connection, ['statement_timeout']);
    expect(after.rows).toEqual(before.rows);
    expect(before.rows).toMatchObject([{ limit: '1min' }]);
  });

  test('costs no round trip: it travels with the statements of the read', async () => {
    const textsOf = async (options: ReadOptions) =>
      (await statementsOf(database.pool, () => read(reader, options))).map(({ sql }) => sql);
    expect(await textsOf({ timeoutMs: 5_000 })).toEqual(await textsOf({}));
  });

  test('does not change what is read', async () => {
    expect(await read(reader, { timeoutMs: 5_000 })).toEqual(await read(reader, {}));
  });

  test('includes the wait for a connection: when it is over, nothing is asked any more', async () => {
    const client = await database.pool.connect();
    const statements = await statementsOf(database.pool, async () => {
      const reading = read(reader, { timeoutMs: 1 });
      await waitFor('the read to wait', () => database.pool.waitingCount === 1);
      const deadlineMs = performance.now() + 1;
      await waitFor('the end of its time', () => performance.now() > deadlineMs);
      client.release();
      await expect(reading).rejects.toMatchObject({ failure: { reason: 'DEADLINE_EXCEEDED' } });
    });
    expect(statements).toEqual([]);
    expect(database.pool.totalCount).toBe(1);
  });
});

describe('connections that are all in use', () => {
  test('are an overload to whoever waits in vain for one', async () => {
    const database = await openTestDatabase(store.url, { poolSizeMax: 2, connectTimeoutMs: 2_000 });
    const reader = readerOf(new ReadConnections(database, 100), database);
    const clients = await Promise.all([database.pool.connect(), database.pool.connect()]);
    try {
      await expect(reader.findById(TENANT, NO_CHARGE)).rejects.toMatchObject({
        failure: { reason: 'OVERLOADED', metadata: { limit: 'read_connections' }, retryAfterMs: 100 },
      });
      clients.pop()?.release();
      expect(await reader.findById(TENANT, NO_CHARGE)).toBeUndefined();
    } finally {
      for (const client of clients) client.release();
      await database.close();
    }
  });

  test('wake nobody who waits for the journal to grow, and hide no commit of another process', async () => {
    const database = await openTestDatabase(store.url, { poolSizeMax: 1, connectTimeoutMs: 1_000 });
    const follower = new JournalFollower(store.everyTenant, { pollMs: 10 });
    const journal = new ChargeEventReader(new ReadConnections(database, 100), follower);
    const last = await journal.lastSequence(TENANT);
    const client = await database.pool.connect();
    try {
      let woken = false;
      const waiting = journal
        .waitForMore(TENANT, last, new AbortController().signal)
        .then(() => (woken = true));
      // As long as a poll over this pool would have waited for a connection, and longer.
      await expect(journal.read(TENANT, last, 1)).rejects.toMatchObject({
        failure: { reason: 'OVERLOADED' },
      });
      await expect(journal.read(TENANT, last, 1)).rejects.toMatchObject({
        failure: { reason: 'OVERLOADED' },
      });
      expect(woken).toBe(false);
      await store.anotherWriter().record(TENANT, [chargeRequest('while-all-in-use')]);
      await waiting;
    } finally {
      client.release();
      follower.close();
      await database.close();
    }
  });
});

describe('a backend that PostgreSQL terminates', () => {
  test('costs the reads on it and none after them', async () => {
    const database = await openTestDatabase(store.url);
    const reader = readerOf(new ReadConnections(database, 100), database);
    try {
      await withLockedCharges(async () => {
        // More than the pool has connections.
        const lists = Array.from({ length: 14 }, () => reader.list(TENANT, ANY_PAGE, { timeoutMs: 30_000 }));
        let running = true;
        const outcomes = Promise.allSettled(lists).finally(() => (running = false));
        await waitFor('the end of every list', async () => {
          await store.owner.pool.query(
            `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE datname = current_database() AND wait_event_type = 'Lock'`,
          );
          return !running;
        });
        for (const outcome of await outcomes) {
          expect(outcome).toMatchObject({ reason: { failure: { reason: 'DATABASE_UNAVAILABLE' } } });
        }
      });
      expect(await reader.findByRequestId(TENANT, 'list-0')).toMatchObject({ userProfile: 'user-0' });
    } finally {
      await database.close();
    }
  });
});

describe('the journal', () => {
  test('is read by cursor, in pages without a gap', async () => {
    const last = await store.journal.lastSequence(TENANT);
    const sequences: bigint[] = [];
    for (let after = 0n; after < last;) {
      const entries = await store.journal.read(TENANT, after, 33);
      sequences.push(...entries.map(({ sequence }) => sequence));
      after = entries.at(-1)?.sequence ?? last;
    }
    expect(sequences).toEqual(Array.from({ length: Number(last) }, (_, i) => BigInt(i + 1)));
  });

  test('is empty for a tenant that never wrote', async () => {
    expect(await store.journal.lastSequence('nobody')).toBe(0n);
    expect(await store.journal.read('nobody', 0n, 10)).toEqual([]);
  });

  test('wakes a waiting reader for commits of this process and of others', async () => {
    for (const notify of [true, false]) {
      const last = await store.journal.lastSequence(TENANT);
      const waiting = store.journal.waitForMore(TENANT, last, new AbortController().signal);
      let woken = false;
      void waiting.then(() => (woken = true));
      const polls = jest.spyOn(store.everyTenant.em, 'fork');
      // The second poll begins only after the first one ended, which found nothing new.
      await waitFor('a whole poll', () => polls.mock.calls.length >= 2);
      polls.mockRestore();
      expect(woken).toBe(false);
      const writer = notify ? store.writer : store.anotherWriter();
      await writer.record(TENANT, [chargeRequest(`wake-${String(notify)}`)]);
      await waiting;
      expect(await store.journal.read(TENANT, last, 10)).toHaveLength(1);
    }
  });

  test('tells every reader of a commit between its read and its wait, each once', async () => {
    // Too slow for this test: nobody may depend on the next poll.
    const follower = new JournalFollower(store.everyTenant, { pollMs: 600_000 });
    const last = await store.journal.lastSequence(TENANT);
    await store.writer.record(TENANT, [chargeRequest('between')]);
    follower.advanced(TENANT, last + 1n);
    const readers = [new AbortController(), new AbortController()];
    for (const { signal } of readers) await follower.waitForMore(TENANT, last, signal);
    const again = readers.map(({ signal }) => follower.waitForMore(TENANT, last, signal).then(() => 'woken'));
    expect(await Promise.race([...again, nextTurn('asleep')])).toBe('asleep');
    follower.close();
    await Promise.all(again);
  });

  test('lets a waiting reader go when it gives up', async () => {
    const gaveUp = new AbortController();
    const last = await store.journal.lastSequence(TENANT);
    const waiting = store.journal.waitForMore(TENANT, last + 100n, gaveUp.signal);
    gaveUp.abort();
    await waiting;
  });
});
