/** What the log says of an error: all of it, unless PostgreSQL may have put values of a row into it. */

import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Registry } from 'prom-client';

import { describeError, errorText } from '../../src/errors/describe-error.ts';
import { createRelayMetrics } from '../../src/observability/relay-metrics.ts';
import { observeRelay } from '../../src/supervisor/relay-status.ts';
import { type Database, openDatabase } from '../../src/database/orm.ts';
import { sqlState } from '../../src/database/sql-errors.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { connectionTo, openTestDatabase } from '../support/store.ts';

const SECRET = 'secret-value';
const STATEMENT = `SELECT '${SECRET}'::int`;

let testDatabase: TestDatabase;
let database: Database;
beforeAll(async () => {
  testDatabase = await createTestDatabase();
  database = await openTestDatabase(testDatabase.url);
});
afterAll(async () => {
  await database.close();
  await testDatabase.drop();
});

async function errorOf(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => undefined,
    (error: unknown) => error,
  );
}

test.each<[string, () => Promise<unknown>]>([
  ['the driver', () => database.pool.query(STATEMENT)],
  ['MikroORM', () => database.orm.em.fork().execute(STATEMENT)],
])('names an error of PostgreSQL by its SQLSTATE alone, from %s', async (_, fail) => {
  const error = await errorOf(fail());
  expect(String(error)).toContain(SECRET);
  for (const thrown of [error, new Error(`wrapper of ${String(error)}`, { cause: error })]) {
    const described = JSON.stringify(describeError(thrown));
    expect(described).not.toContain(SECRET);
    expect(described).toContain('22P02');
    expect(sqlState(thrown)).toBe('22P02');
    expect(errorText(thrown)).not.toContain(SECRET);
    expect(errorText(thrown)).toContain('22P02');
  }
});

test('keeps the message of an error whose code only looks like a SQLSTATE', () => {
  const broken = Object.assign(new Error('write EPIPE'), { code: 'EPIPE', syscall: 'write' });
  expect(describeError(broken)).toMatchObject({ code: 'EPIPE', message: 'write EPIPE' });
  const wrapper = new Error('the answer was not sent', { cause: broken });
  expect(describeError(wrapper)).toMatchObject({ message: 'the answer was not sent' });
  expect(sqlState(wrapper)).toBeUndefined();
});

test('tells a person why PostgreSQL refused a statement for want of a privilege', async () => {
  // One implicit transaction: its failure takes the role back.
  const refused = await errorOf(database.pool.query('SET ROLE pg_monitor; CREATE TABLE public.refused ()'));
  expect(sqlState(refused)).toBe('42501');
  expect(errorText(refused)).toContain('permission denied for schema public');
});

test.each([
  ['22P02', `SELECT '${SECRET}'::int`, ''],
  [
    '23505',
    `CREATE TEMP TABLE t (v text PRIMARY KEY); INSERT INTO t VALUES ('${SECRET}'), ('${SECRET}')`,
    '',
  ],
  ['42601', `SELECT 1 FROM charge '${SECRET}'`, ''],
  ['P0001', `DO $$ BEGIN RAISE EXCEPTION '${SECRET}'; END $$`, ''],
  ['42P01', `SELECT '${SECRET}' FROM gone`, 'relation "gone" does not exist'],
  ['23502', `CREATE TEMP TABLE t (v text, w int NOT NULL); INSERT INTO t VALUES ('${SECRET}', NULL)`, '"w"'],
  ['25006', `SET transaction_read_only = on; CREATE TABLE t (v text DEFAULT '${SECRET}')`, 'CREATE TABLE'],
])(
  'quotes no value of an error with SQLSTATE %s, and its words if they are safe',
  async (state, sql, words) => {
    const error = await errorOf(database.pool.query(sql));
    expect(sqlState(error)).toBe(state);
    expect(JSON.stringify(describeError(error))).not.toContain(SECRET);
    if (words === '') expect(errorText(error)).toBe(`error (${state})`);
    else expect(errorText(error)).toContain(words);
  },
);

test('tells a person why PostgreSQL refused a login or a database', async () => {
  const url = new URL(testDatabase.url);
  url.pathname = '/no_such_database';
  const elsewhere = await openDatabase(connectionTo(url.href));
  try {
    const error = await errorOf(elsewhere.pool.query('SELECT 1'));
    expect(errorText(error)).toBe('database "no_such_database" does not exist');
    expect(errorText(new Error('the look failed', { cause: error }))).toBe('the look failed');
  } finally {
    await elsewhere.close();
  }
});

test('goes no deeper than four causes, and trusts no message whose last cause it does not know', async () => {
  const error = await errorOf(database.pool.query(STATEMENT));
  let outer = error;
  for (let i = 0; i < 10; i++) outer = new Error(`wrapper of ${String(error)}`, { cause: outer });
  expect(JSON.stringify(describeError(outer))).not.toContain(SECRET);
  expect(errorText(outer)).toBe('Error');
  expect(errorText('thrown as a text')).toBe('string');
});

test('is what the relay logs', async () => {
  const logged: unknown[] = [];
  const log = (fields: unknown): void => void logged.push(fields);
  const logger = { debug: log, info: log, warn: log, error: log } as never;
  const { events } = observeRelay(createRelayMetrics(new Registry()), logger, () => undefined);
  events.failed(await errorOf(database.pool.query(STATEMENT)));
  events.failed(new Error('no responders'));
  expect(logged).toEqual([{ reason: 'error (22P02)' }, { reason: 'no responders' }]);
});
