import { readFile } from 'node:fs/promises';

import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { Migration } from '@mikro-orm/migrations';
import { Client } from 'pg';

import { migrate, type MigrateOptions } from '../../src/database/migrate.ts';
import { migrations } from '../../src/database/migrations/index.ts';
import type { Database } from '../../src/database/orm.ts';
import { dumpSchema } from '../../scripts/lib/dump-schema.ts';
import { classifySqlError, sqlState } from '../../src/database/sql-errors.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { openTestDatabase } from '../support/store.ts';
import { waitFor } from '../support/wait-for.ts';

const NAMES = migrations.map(({ name }) => name);

let testDatabase: TestDatabase;
/** Another connection to the database, to look at it and to be in its way. */
let other: Client;

beforeEach(async () => {
  testDatabase = await createTestDatabase();
  other = new Client({ connectionString: testDatabase.url });
  await other.connect();
});
afterEach(async () => {
  await other.end();
  await testDatabase.drop();
});

function run(options: Partial<MigrateOptions> = {}): Promise<string[]> {
  return migrate(testDatabase.url, { lockTimeoutMs: 30_000, ...options });
}

async function withMigrated(work: (database: Database) => Promise<void>): Promise<void> {
  await run();
  const database = await openTestDatabase(testDatabase.url, { asLoginRole: true });
  try {
    await work(database);
  } finally {
    await database.close();
  }
}

/** This version's migrations, and another one that is slow because of this SQL. */
function withSlowOne(sql: string): NonNullable<MigrateOptions['migrations']> {
  class Slow extends Migration {
    override up(): void {
      this.addSql(sql);
    }
  }
  return [...migrations, { name: 'slow', class: Slow }];
}

test('ten starting replicas race, and each migration is applied by exactly one of them', async () => {
  const applied = await Promise.all(Array.from({ length: 10 }, () => run()));
  expect(applied.flat().sort()).toEqual(NAMES.toSorted());
  expect(await run()).toEqual([]);
});

test('the migrated database is what the entities describe', () =>
  withMigrated(async (database) => {
    const difference = await database.orm.schema.getUpdateSchemaSQL({ wrap: false });
    expect(difference.trim()).toBe('');
  }));

test('the committed schema dump is what the migrations make', () =>
  withMigrated(async (database) => {
    const committed = await readFile(new URL('../../docs/schema.sql', import.meta.url), 'utf8');
    expect(await dumpSchema(database.pool)).toBe(committed);
  }));

test('no connection and no lock is left behind by a migration', async () => {
  await run();
  await waitFor('the last backend to go', async () => {
    const { rows } = await other.query(
      `SELECT FROM pg_stat_activity
       WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'`,
    );
    return rows.length === 0;
  });
});

test('a statement of a migration has a limit of its own, whatever the database’s limit is', async () => {
  const name = new URL(testDatabase.url).pathname.slice(1);
  await other.query(`ALTER DATABASE ${name} SET statement_timeout = 200`);
  const tooSlow = await run({
    migrations: withSlowOne('SELECT pg_sleep(60)'),
    statementTimeoutMs: 300,
  }).catch(sqlState);
  expect(tooSlow).toBe('57014');
  // Those before it stay done.
  expect(await run({ migrations: withSlowOne('SELECT pg_sleep(0.5)') })).toEqual(['slow']);
});

test('a replica waits for the one that migrates, and no longer than it was told', async () => {
  await other.query('SELECT pg_advisory_lock(1)');
  const gated = withSlowOne('SELECT pg_advisory_xact_lock(1)');
  const slow = run({ migrations: gated });
  await waitFor('the migration at the gate', async () => {
    // Other test files migrate their own databases of the same cluster meanwhile.
    const { rows } = await other.query(
      `SELECT FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database
       WHERE locktype = 'advisory' AND NOT granted AND datname = current_database()`,
    );
    return rows.length === 1;
  });
  expect(await run({ lockTimeoutMs: 50 }).catch(sqlState)).toBe('55P03');
  const waiting = run({ migrations: gated });
  await other.query('SELECT pg_advisory_unlock(1)');
  expect(await slow).toEqual([...NAMES, 'slow']);
  expect(await waiting).toEqual([]);
});

test('a migration that is given up leaves no statement, no lock and nothing half done', async () => {
  const stopping = new AbortController();
  const { signal } = stopping;
  const sleeping = withSlowOne('CREATE TABLE half (id int); SELECT pg_sleep(60)');
  // A user's URL may name the connections.
  const named = new URL(testDatabase.url);
  named.searchParams.set('application_name', 'theirs');
  const failed = migrate(named.href, { lockTimeoutMs: 30_000, migrations: sleeping, signal }).catch(
    (error: unknown) => error,
  );
  await waitFor('the migration', async () => {
    const { rows } = await other.query(
      `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'`,
    );
    return rows.length === 1;
  });
  const waiting = run({ signal }).catch((error: unknown) => error);
  await waitFor('another one that waits for it', async () => {
    const { rows } = await other.query(
      `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'advisory'`,
    );
    return rows.length === 1;
  });
  stopping.abort();
  expect(await Promise.all([failed, waiting])).toEqual([signal.reason, signal.reason]);
  const { rows } = await other.query(
    `SELECT query FROM pg_stat_activity
     WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'`,
  );
  expect(rows).toEqual([]);
  const half = await other.query("SELECT to_regclass('half') AS found");
  expect(half.rows).toEqual([{ found: null }]);
  expect(await run({ migrations: withSlowOne('SELECT pg_sleep(0)') })).toEqual(['slow']);
});

test('a migration whose backend is terminated fails, and the next try succeeds', async () => {
  const failing = run({ migrations: withSlowOne('SELECT pg_sleep(60)') }).catch(classifySqlError);
  await waitFor('the end of its backend', async () => {
    const { rows } = await other.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
       WHERE datname = current_database() AND wait_event = 'PgSleep'`,
    );
    return rows.length === 1;
  });
  expect(await failing).toBe('retry');
  expect(await run({ migrations: withSlowOne('SELECT pg_sleep(0)') })).toEqual(['slow']);
});
