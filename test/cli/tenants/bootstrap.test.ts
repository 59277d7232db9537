/** `charge key bootstrap` on a real database. */

import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, test } from '@jest/globals';

import { OPEN } from '../../../src/tenants/credentials/settings.ts';
import { createTestDatabase, query } from '../../support/database.ts';
import { openTestServer } from '../../support/server.ts';
import { openTestStore, type TestStore } from '../../support/store.ts';
import { runInProcess } from '../support/in-process.ts';

let store: TestStore;
let directory: string;
beforeAll(async () => {
  store = await openTestStore();
  directory = await mkdtemp(join(tmpdir(), 'charge-bootstrap-'));
});
afterAll(async () => {
  await rm(directory, { recursive: true });
  await store.close();
});

const bootstrap = (...args: string[]) =>
  runInProcess('key', 'bootstrap', '--database-url', store.url, ...args);

test('the first key administers, and there is no second one without --force', async () => {
  const path = join(directory, 'operator.key');
  const first = await bootstrap('--file', path);
  expect({ code: first.code, stdout: first.stdout }).toEqual({ code: 0, stdout: '' });
  const key = (await readFile(path, 'utf8')).trim();
  expect(first.stderr).not.toContain(key);
  expect(first.stderr).toContain(`of the operator is in ${path}, and nowhere else`);
  expect((await stat(path)).mode & 0o777).toBe(0o600);

  const server = await openTestServer(store.url, { credentials: { ...OPEN, required: true } });
  const list = ['audit', 'list', '--json', '--address', server.address, '--api-key-file', path];
  const { stdout } = await runInProcess(...list);
  await server.close();
  expect(JSON.parse(stdout)).toMatchObject({
    tenantId: 'default',
    actor: 'command:bootstrap',
    actorTenantId: 'default',
    action: 'charge.v1.TenantService/CreateApiKey',
    target: key.split('_')[1],
    details: { scopes: 'RECORD, READ, PRICE, BUDGET, CORRECT, ADMIN' },
  });

  const second = await bootstrap();
  expect(second).toMatchObject({ code: 1, stdout: '' });
  expect(second.stderr).toContain('1 active key with ADMIN');
  const forced = await bootstrap('--force');
  expect(forced.code).toBe(0);
  expect(forced.stdout).toMatch(/^chg_[0-9a-f]{16}_[0-9a-f]{64}\n$/);
  expect(await query(store.url, 'SELECT count(*)::integer AS keys FROM api_key')).toEqual([{ keys: 2 }]);
});

test('of two at once, one makes the key', async () => {
  await query(store.url, 'UPDATE api_key SET revoke_time = clock_timestamp()');
  const { bootstrapKey } = await import('../../../src/server/bootstrap-key.ts');
  const options = { databaseUrl: store.url, dataDir: directory, force: false };
  const outcomes = await Promise.all([bootstrapKey(options), bootstrapKey(options)]);
  expect(outcomes.filter(({ created }) => created !== undefined)).toHaveLength(1);
});

test('the embedded database is found in DATA_DIR', async () => {
  const { port, username } = new URL(store.url);
  expect(await runInProcess('key', 'bootstrap', '--data-dir', directory)).toMatchObject({
    code: 3,
    stderr: expect.stringContaining('Give --database-url') as unknown,
  });
  // Nobody of that name and password may log in here, which shows who has tried it, and where.
  const lines = ['[charge]', 'host=127.0.0.1', `port=${port}`, 'user=charge', 'password=wrong'];
  await writeFile(join(directory, 'pg_service.conf'), lines.join('\n'));
  const refused = await runInProcess('key', 'bootstrap', '--data-dir', directory);
  expect(refused).toMatchObject({ code: 3, stdout: '' });
  expect(refused.stderr).toMatch(username === 'charge' ? /password authentication/ : /"charge"/);
  expect(refused.stderr).not.toContain('wrong');
});

test('a database that cannot be used is explained, and no file is left', async () => {
  const empty = await createTestDatabase();
  const path = join(directory, 'none.key');
  const args = ['key', 'bootstrap', '--database-url', empty.url, '--file', path];
  const { code, stderr } = await runInProcess(...args);
  await empty.drop();
  expect(code).toBe(3);
  expect(stderr).toContain('table missing');
  await expect(stat(path)).rejects.toThrow('ENOENT');
  const wrong = await runInProcess('key', 'bootstrap', '--database-url', 'mysql://x');
  expect(wrong).toMatchObject({
    code: 3,
    stderr: expect.stringContaining('The URL of the database') as unknown,
  });
});
