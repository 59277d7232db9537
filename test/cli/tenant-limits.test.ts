/** Programs of a tenant that is at its limits: they go on more slowly. */

import { afterEach, beforeEach, expect, test } from '@jest/globals';

import { createMigratedDatabase, query, type TestDatabase } from '../support/database.ts';
import { openTestServer, type TestServer } from '../support/server.ts';
import { Harness, usage } from './support/harness.ts';
import { runInProcess } from './support/in-process.ts';

let harness: Harness;
let database: TestDatabase;
let server: TestServer;
beforeEach(async () => {
  [harness, database] = await Promise.all([Harness.open(), createMigratedDatabase()]);
});
afterEach(async () => {
  harness.close();
  await server.close();
  await database.drop();
});

test('an import is held back by the rate of its tenant, and records every row', async () => {
  const limits = { callsInFlightMax: 1, streamsMax: 2, chargesPerSecondMax: 200 };
  server = await openTestServer(database.url, { limitsOf: () => limits });
  const file = harness.write('usage.csv', usage(500));
  const { code, stdout } = await runInProcess('import', file, '--json', '--address', server.address);
  expect(JSON.parse(stdout)).toMatchObject({ created: 500, replayed: 0, rejected: 0 });
  expect(code).toBe(0);
  expect(await query(database.url, 'SELECT count(*)::int AS charges FROM charge')).toEqual([
    { charges: 500 },
  ]);
});
