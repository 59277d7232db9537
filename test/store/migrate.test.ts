import { readFile } from 'node:fs/promises';

import { afterEach, beforeEach, expect, test } from '@jest/globals';

import { migrate } from '../../src/store/migrate.ts';
import { migrations } from '../../src/store/migrations/index.ts';
import type { Database } from '../../src/store/orm.ts';
import { dumpSchema } from '../../src/store/schema-dump.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { openTestDatabase } from '../support/store.ts';

let testDatabase: TestDatabase;
const opened: Database[] = [];

async function open(): Promise<Database> {
  const database = await openTestDatabase(testDatabase.url);
  opened.push(database);
  return database;
}

beforeEach(async () => {
  testDatabase = await createTestDatabase();
});
afterEach(async () => {
  await Promise.all(opened.splice(0).map((database) => database.close()));
  await testDatabase.drop();
});

test('ten starting replicas race, and each migration is applied by exactly one of them', async () => {
  const replicas = await Promise.all(Array.from({ length: 10 }, open));
  const applied = await Promise.all(replicas.map((replica) => migrate(replica, 30_000)));
  expect(applied.flat().sort()).toEqual(migrations.map(({ name }) => name).sort());
  expect(await migrate(await open(), 30_000)).toEqual([]);
});

test('the migrated database is what the entities describe', async () => {
  const database = await open();
  await migrate(database, 30_000);
  const difference = await database.orm.schema.getUpdateSchemaSQL({ wrap: false });
  expect(difference.trim()).toBe('');
});

test('the committed schema dump is what the migrations make', async () => {
  const database = await open();
  await migrate(database, 30_000);
  const committed = await readFile(new URL('../../docs/schema.sql', import.meta.url), 'utf8');
  expect(await dumpSchema(database.pool)).toBe(committed);
});

test('the lock is free again after a migration, also for a second service version', async () => {
  const database = await open();
  await migrate(database, 1_000);
  await migrate(database, 1_000);
  const { rows } = await database.pool.query(`SELECT 1 FROM pg_locks WHERE locktype = 'advisory'`);
  expect(rows).toEqual([]);
});
