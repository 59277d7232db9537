import { afterAll, beforeAll, expect, test } from '@jest/globals';

import { GroupWriter } from '../../src/store/group-writer.ts';
import { openDatabase } from '../../src/store/orm.ts';
import { openProxy } from '../support/proxy.ts';
import { chargeRequest, openTestStore, type TestStore } from '../support/store.ts';

let store: TestStore;
beforeAll(async () => {
  store = await openTestStore();
});
afterAll(() => store.close());

test('a network to PostgreSQL that swallows everything is given up on, and the write is made once', async () => {
  const url = new URL(store.url);
  const proxy = await openProxy({ host: url.hostname, port: Number(url.port) });
  url.hostname = '127.0.0.1';
  url.port = String(proxy.port);
  const database = await openDatabase({
    databaseUrl: url.href,
    poolSizeMax: 1,
    writePoolSizeMax: 1,
    durableCommits: true,
    statementTimeoutMs: 200,
    connectTimeoutMs: 1_000,
    applicationName: 'blackhole',
  });
  try {
    const attempts: unknown[] = [];
    const writer = new GroupWriter(
      database.writePool,
      { writers: 1, groupSizeMax: 10, queueSizeMax: 10, retryForMs: 20_000, retryAfterMs: 100 },
      {
        committed: () => undefined,
        statement: (_charges, _seconds, error) => {
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
    const { rows } = await store.database.pool.query(`SELECT 1 FROM charge WHERE request_id = 'during'`);
    expect(rows).toHaveLength(1);
  } finally {
    await proxy.close();
    await database.close();
  }
}, 60_000);
