import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';

import type { CreateChargeResponse } from '../../generated/charge/v1/charge_service.ts';
import { requireOwnSession, SharedSessionError } from '../../src/database/pooler.ts';
import { migrateWhenReachable } from '../../src/supervisor/migrate-when-reachable.ts';
import { createTestDatabase, oneLogin, type TestDatabase } from '../support/database.ts';
import { query } from '../embedded/support.ts';
import { type Pgbouncer, startPgbouncer } from '../support/pgbouncer.ts';
import { call, createRequest, errorOf } from '../support/server.ts';
import { makeDataDir, Service } from '../support/service.ts';
import { chargeRequest, openTestStore } from '../support/store.ts';
import { findPgbouncer, skipNote } from '../support/tools.ts';

const tool = findPgbouncer();

describe(`behind PgBouncer${skipNote('PgBouncer', tool)}`, () => {
  if (tool.path === undefined) {
    test.skip('nothing', () => undefined);
    return;
  }
  const { path } = tool;
  let database: TestDatabase;
  let pooler: Pgbouncer | undefined;
  beforeEach(async () => {
    database = await createTestDatabase();
  });
  afterEach(async () => {
    await pooler?.stop();
    await database.drop();
  });

  test.each([
    { pool_mode: 'transaction' },
    { pool_mode: 'statement' },
    { pool_mode: 'transaction', server_round_robin: '1', min_pool_size: '2', default_pool_size: '2' },
    { pool_mode: 'transaction', server_round_robin: '1', min_pool_size: '5' },
    { pool_mode: 'transaction', default_pool_size: '1' },
  ])('a session that is not ours alone is noticed: %j', async (settings) => {
    pooler = await startPgbouncer(path, database.url, settings);
    // Warms the pool up.
    await Promise.all(Array.from({ length: 6 }, () => query(pooler?.url ?? '', 'SELECT pg_sleep(0.05)')));
    await expect(requireOwnSession(pooler.url)).rejects.toThrow(SharedSessionError);
  });

  test('a start-up parameter that it refuses ends the start with its own words', async () => {
    pooler = await startPgbouncer(path, database.url, { pool_mode: 'session' });
    const url = `${pooler.url}&options=-c%20search_path%3Dpublic`;
    const waits: unknown[] = [];
    const logger = { warn: (...line: unknown[]) => waits.push(line), info: () => undefined };
    const start = migrateWhenReachable(oneLogin(url), logger as never, new AbortController().signal);
    await expect(start).rejects.toThrow(
      /unsupported startup parameter: options\. .* connect to PostgreSQL directly/,
    );
    expect(waits).toEqual([]);
  });

  test('in session mode the service works as on PostgreSQL itself', async () => {
    pooler = await startPgbouncer(path, database.url, { pool_mode: 'session', default_pool_size: '40' });
    const dataDir = await makeDataDir();
    const env = { DATABASE_URL: pooler.url, NATS_URL: 'nats://127.0.0.1:1', DATA_DIR: dataDir.path };
    let service = new Service(env);
    const createAll = async (prefix: string, count: number) => {
      const client = await service.client();
      const calls = Array.from({ length: count }, (_, index) =>
        call<CreateChargeResponse>((done) => client.createCharge(createRequest(`${prefix}-${index}`), done)),
      );
      const codes = calls.map((answer) =>
        answer.then(
          () => 'OK',
          async () => (await errorOf(answer)).code,
        ),
      );
      return [...new Set(await Promise.all(codes))];
    };
    try {
      expect(await createAll('first', 50)).toEqual(['OK']);
      expect(await service.end()).toBe(0);
      service = new Service(env);
      expect(await createAll('second', 50)).toEqual(['OK']);
      expect(await query(database.url, 'SELECT count(*)::int FROM charge')).toEqual([{ count: 100 }]);
    } finally {
      await service.cleanUp();
      await dataDir.remove();
    }
  });
});

test('a prepared statement that is gone, as behind a pooler, is made again, and the charges are stored', async () => {
  const store = await openTestStore();
  try {
    const record = (prefix: string) =>
      Promise.all(
        Array.from({ length: 8 }, (_, i) =>
          store.writer.record('default', [chargeRequest(`${prefix}-${i}`)]),
        ),
      );
    await record('before');
    const clients = await Promise.all(
      Array.from({ length: store.writes.pool.totalCount }, () => store.writes.pool.connect()),
    );
    for (const client of clients) {
      await client.query('DEALLOCATE ALL');
      client.release();
    }
    const results = await record('after');
    expect(results.flat().map(({ outcome }) => outcome)).toEqual(Array(8).fill('created'));
  } finally {
    await store.close();
  }
});
