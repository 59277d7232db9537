/** What the log says of an error: all of it, unless PostgreSQL may have put values of a row into it. */

import { afterAll, beforeAll, expect, test } from '@jest/globals';

import { describeError } from '../../src/rpc/defect.ts';
import type { Database } from '../../src/store/orm.ts';
import { sqlState } from '../../src/store/sql-errors.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';
import { openTestDatabase } from '../support/store.ts';

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
  }
});

test('keeps the message of an error whose code only looks like a SQLSTATE', () => {
  const broken = Object.assign(new Error('write EPIPE'), { code: 'EPIPE', syscall: 'write' });
  expect(describeError(broken)).toMatchObject({ code: 'EPIPE', message: 'write EPIPE' });
  const wrapper = new Error('the answer was not sent', { cause: broken });
  expect(describeError(wrapper)).toMatchObject({ message: 'the answer was not sent' });
  expect(sqlState(wrapper)).toBeUndefined();
});
