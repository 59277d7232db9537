/** A network to PostgreSQL that goes silent. Each test mostly waits for time limits, so they run at once. */

import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Migration } from '@mikro-orm/migrations';

import { JournalFollower } from '../../src/journal/follower.ts';
import { ChargeEventReader } from '../../src/charges/store/charge-events.ts';
import { GroupWriter } from '../../src/charges/store/group-writer.ts';
import { migrate } from '../../src/database/migrate.ts';
import { migrations } from '../../src/database/migrations/index.ts';
import { type DatabaseOptions, openDatabase } from '../../src/database/orm.ts';
import { ReadConnections } from '../../src/database/read-connections.ts';
import { PriceBooks } from '../../src/prices/store/price-books.ts';
import { openProxy, type Proxy } from '../support/proxy.ts';
import { chargeRequest, connectionTo, openTestStore, readerOf, type TestStore } from '../support/store.ts';
import { waitFor } from '../support/wait-for.ts';

let store: TestStore;
beforeAll(async () => {
  store = await openTestStore();
});
afterAll(() => store.close());

/** The suite's database, over a network that can go silent. */
async function openSilencable(
  bounds: Partial<DatabaseOptions>,
): Promise<{ proxy: Proxy; connection: DatabaseOptions }> {
  const url = new URL(store.url);
  const proxy = await openProxy({ host: url.hostname, port: Number(url.port) });
  url.hostname = '127.0.0.1';
  url.port = String(proxy.port);
  return { proxy, connection: connectionTo(url.href, { statementTimeoutMs: 200, ...bounds }) };
}

test.concurrent(
  'a network to PostgreSQL that swallows everything is given up on, and the write is made once',
  async () => {
    const { proxy, connection } = await openSilencable({ poolSizeMax: 1, connectTimeoutMs: 1_000 });
    const writes = await openDatabase(connection);
    try {
      const attempts: unknown[] = [];
      const writer = new GroupWriter(
        writes,
        new PriceBooks(writes.em, () => undefined),
        {
          writers: 1,
          groupSizeMax: 10,
          queueSizeMax: 10,
          retryForMs: 20_000,
          retryAfterMs: 100,
          unknownUserProfilesOf: () => 0,
        },
        {
          committed: () => undefined,
          recorded: () => undefined,
          attempted: (_charges, _seconds, error) => {
            attempts.push(error);
            if (error !== undefined) proxy.heal();
          },
        },
      );
      await writer.record('default', [chargeRequest('before')]);
      proxy.blackhole();
      const [result] = await writer.record('default', [chargeRequest('during')]);
      expect(result?.outcome).toBe('created');
      expect(attempts.filter((error) => error !== undefined).length).toBeGreaterThan(0);
      const { rows } = await store.owner.pool.query(`SELECT 1 FROM charge WHERE request_id = 'during'`);
      expect(rows).toHaveLength(1);
    } finally {
      await proxy.close();
      await writes.close();
    }
  },
);

test.concurrent(
  'a charge that came late into an outage outlives it, although those before it in its group did not',
  async () => {
    const { proxy, connection } = await openSilencable({
      poolSizeMax: 1,
      connectTimeoutMs: 1_000,
      statementTimeoutMs: 2_000,
    });
    const writes = await openDatabase(connection);
    try {
      const groups: number[] = [];
      const writer = new GroupWriter(
        writes,
        new PriceBooks(writes.em, () => undefined),
        {
          writers: 1,
          groupSizeMax: 2,
          queueSizeMax: 10,
          retryForMs: 6_000,
          retryAfterMs: 100,
          unknownUserProfilesOf: () => 0,
        },
        {
          committed: () => undefined,
          recorded: () => undefined,
          attempted: (charges) => groups.push(charges),
        },
      );
      const unavailable = { failure: { reason: 'DATABASE_UNAVAILABLE' } };
      proxy.blackhole();
      const full = writer.record('default', [chargeRequest('full-1'), chargeRequest('full-2')]);
      const old = writer.record('default', [chargeRequest('old')]);
      // Before the one writer is free again: it takes both together.
      const young = full.catch(() => writer.record('default', [chargeRequest('young')]));
      await expect(full).rejects.toMatchObject(unavailable);
      await expect(old).rejects.toMatchObject(unavailable);
      proxy.heal();
      // First two, then both others together, then the young one alone.
      expect(groups.join('')).toMatch(/^2+1*$/);
      expect(await young).toMatchObject([{ outcome: 'created' }]);
    } finally {
      await proxy.close();
      await writes.close();
    }
  },
);

test.concurrent(
  'a connection that cannot be opened is no overload, also to whoever waits for another to be',
  async () => {
    const { proxy, connection } = await openSilencable({ poolSizeMax: 1, connectTimeoutMs: 300 });
    const database = await openDatabase(connection);
    try {
      const reader = readerOf(new ReadConnections(database, 100), database);
      proxy.blackhole();
      const reads = await Promise.allSettled([1, 2, 3].map(() => reader.findByRequestId('default', 'none')));
      for (const outcome of reads) {
        expect(outcome).toMatchObject({ reason: { failure: { reason: 'DATABASE_UNAVAILABLE' } } });
      }
    } finally {
      await proxy.close();
      await database.close();
    }
  },
);

test.concurrent(
  'a read that the network swallowed leaves no connection behind on which the next one would wait',
  async () => {
    const [result] = await store.writer.record('default', [chargeRequest('read')]);
    if (result?.outcome !== 'created') throw new Error(`unexpected ${String(result?.outcome)}`);
    const { id } = result.charge;
    const query = {
      filter: {},
      order: 'newest_first',
      includeCorrected: false,
      limit: 1,
      after: undefined,
    } as const;
    // A connection for each of the reads below.
    const { proxy, connection } = await openSilencable({
      poolSizeMax: 5,
      connectTimeoutMs: 5_000,
      statementTimeoutMs: 2_000,
    });
    const database = await openDatabase(connection);
    try {
      const reads = new ReadConnections(database, 100);
      const reader = readerOf(reads, database);
      const journal = new ChargeEventReader(reads, new JournalFollower(store.everyTenant, { pollMs: 50 }));
      const readAll = (): Promise<PromiseSettledResult<unknown>[]> =>
        Promise.allSettled([
          reader.findById('default', id),
          reader.findByRequestId('default', 'read'),
          reader.list('default', query),
          reader.list('default', query, { timeoutMs: 3_000 }),
          journal.read('default', 0n, 1),
        ]);
      const statuses = async (): Promise<string[]> => (await readAll()).map(({ status }) => status);
      const all = (status: string): string[] => Array<string>(5).fill(status);
      expect(await statuses()).toEqual(all('fulfilled'));
      proxy.blackhole();
      const swallowed = await readAll();
      for (const outcome of swallowed) {
        expect(outcome).toMatchObject({ reason: { failure: { reason: 'DATABASE_UNAVAILABLE' } } });
      }
      proxy.heal();
      expect(await statuses()).toEqual(all('fulfilled'));
    } finally {
      await proxy.close();
      await database.close();
    }
  },
);

test.concurrent('a migration is given up also while PostgreSQL does not answer', async () => {
  const { proxy, connection } = await openSilencable({});
  const stopping = new AbortController();
  class Gated extends Migration {
    override up(): void {
      this.addSql('SELECT pg_advisory_xact_lock(1)');
    }
  }
  const gate = await store.owner.pool.connect();
  try {
    await gate.query('SELECT pg_advisory_lock(1)');
    const failed = migrate(connection.databaseUrl, {
      lockTimeoutMs: 30_000,
      migrations: [...migrations, { name: 'gated', class: Gated }],
      signal: stopping.signal,
    }).catch((error: unknown) => error);
    await waitFor('the migration at the gate', async () => {
      const { rows } = await gate.query(
        `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'advisory'`,
      );
      return rows.length === 1;
    });
    proxy.blackhole();
    stopping.abort();
    expect(await failed).toBe(stopping.signal.reason);
  } finally {
    await proxy.close();
    gate.release(true);
  }
});
