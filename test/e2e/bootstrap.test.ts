/** The first key of a service that `npm start` has started on an embedded PostgreSQL. */

import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, test } from '@jest/globals';

import { failureOf } from '../support/errors.ts';
import { makeDataDir, Service } from '../support/service.ts';
import { startTool, type ToolResult } from '../support/tools.ts';
import { bearer, createWith } from '../tenants/support/credentials.ts';

let dataDir: Awaited<ReturnType<typeof makeDataDir>>;
let service: Service;
beforeEach(async () => {
  dataDir = await makeDataDir();
  service = new Service(
    // Nobody listens there: charges need no NATS.
    { DATA_DIR: dataDir.path, AUTHENTICATION: 'required', NATS_URL: 'nats://127.0.0.1:1' },
    { command: ['npm', '--silent', 'start'] },
  );
});
afterEach(async () => {
  await service.cleanUp();
  await dataDir.remove();
});

/** Runs `charge` with the variables that the service has. */
function charge(...args: string[]): Promise<ToolResult> {
  const env = ['-u', 'DATABASE_URL', `DATA_DIR=${dataDir.path}`];
  return startTool('env', [...env, process.execPath, 'src/cli/charge.js', ...args]).ended;
}

test('the first key administers and records, and a second one needs --force', async () => {
  const { grpc } = await service.ready();
  const client = await service.client();
  expect(await failureOf(createWith(client, 'no-key'))).toMatchObject({ metadata: { cause: 'MISSING' } });

  const file = join(dataDir.path, 'operator.key');
  const first = await charge('key', 'bootstrap', '--file', file);
  expect(first).toMatchObject({ status: 0, stdout: '' });
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  const key = (await readFile(file, 'utf8')).trim();
  expect(first.stderr).not.toContain(key);
  await createWith(client, 'first-key', bearer(key));
  const asOperator = ['--address', grpc, '--api-key-file', file];
  expect(await charge('tenant', 'create', 'acme', ...asOperator)).toMatchObject({ status: 0 });

  const second = join(dataDir.path, 'second.key');
  const refused = await charge('key', 'bootstrap', '--file', second);
  expect(refused).toMatchObject({ status: 1, stdout: '' });
  expect(refused.stderr).toContain('the operator has 1 active key with ADMIN');
  await expect(stat(second)).rejects.toThrow('ENOENT');

  const forced = await charge('key', 'bootstrap', '--force');
  expect(forced.status).toBe(0);
  expect(forced.stdout).toMatch(/^chg_[0-9a-f]{16}_[0-9a-f]{64}\n$/);
  await createWith(client, 'forced-key', bearer(forced.stdout.trim()));
  await createWith(client, 'first-key-again', bearer(key));
  const keys = await charge('key', 'list', ...asOperator);
  expect(keys.stdout.match(/^[0-9a-f]{16} +bootstrap /gm)).toHaveLength(2);

  expect(await service.end()).toBe(0);
  const lines = JSON.stringify(service.lines) + service.stderr;
  expect(lines).not.toContain(key);
  const stopped = await charge('key', 'bootstrap');
  expect(stopped).toMatchObject({ status: 3, stdout: '' });
  expect(stopped.stderr).toContain('The database cannot be used: no answer');
}, 180_000);
