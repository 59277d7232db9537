/** `charge tenant …`, `charge key …` and `charge audit …` on a real service that wants credentials. */

import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, test } from '@jest/globals';

import { SCOPES } from '../../../src/grpc/principal.ts';
import { OPEN } from '../../../src/tenants/credentials/settings.ts';
import { openTestServer, type TestServer } from '../../support/server.ts';
import { openTestStore, type TestStore } from '../../support/store.ts';
import { addKey } from '../../tenants/support/credentials.ts';
import { runInProcess } from '../support/in-process.ts';

let store: TestStore;
let server: TestServer;
let directory: string;
let operatorFile: string;
beforeAll(async () => {
  store = await openTestStore();
  server = await openTestServer(store.url, { credentials: { ...OPEN, required: true } });
  directory = await mkdtemp(join(tmpdir(), 'charge-tenants-'));
  operatorFile = join(directory, 'operator.key');
  const { key } = await addKey(store.url, { tenant: 'default', scopes: SCOPES });
  await writeFile(operatorFile, key);
});
afterAll(async () => {
  await server.close();
  await store.close();
  await rm(directory, { recursive: true });
});

const runAs = (keyFile: string, ...args: string[]) =>
  runInProcess(...args, '--address', server.address, '--api-key-file', keyFile);
const run = (...args: string[]) => runAs(operatorFile, ...args);

async function json(...args: string[]): Promise<unknown> {
  const { code, stdout, stderr } = await run(...args, '--json');
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return JSON.parse(stdout);
}

test('a tenant is created, changed, shown, listed, suspended and resumed', async () => {
  const created = await json(
    ...['tenant', 'create', 'acme', '--name', 'Acme', '--streams-max', '5'],
    ...['--unknown-user-profiles', 'refuse'],
  );
  expect(created).toMatchObject({
    id: 'acme',
    displayName: 'Acme',
    settings: { streamsMax: 5, unknownUserProfiles: 'UNKNOWN_USER_PROFILES_REFUSE' },
  });
  const update = ['tenant', 'update', 'acme', '--streams-max', '0', '--charges-per-second-max', '50'];
  const updated = (await json(...update)) as { settings: object };
  expect(updated).toMatchObject({ displayName: 'Acme', settings: { chargesPerSecondMax: 50 } });
  expect(updated.settings).not.toHaveProperty('streamsMax');
  const listed = (await run('tenant', 'list')).stdout;
  expect(listed).toMatch(/^ID .*\nacme +Acme +refuse +- +- +50 +\d{4}-[^\n]*\ndefault [^\n]*\n$/);
  expect(await run('tenant', 'suspend', 'acme')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('--yes agrees') as unknown,
  });
  expect(await json('tenant', 'show', 'acme')).not.toHaveProperty('suspendTime');
  expect(await json('tenant', 'suspend', 'acme', '--yes')).toHaveProperty('suspendTime');
  expect(await json('tenant', 'resume', 'acme')).not.toHaveProperty('suspendTime');
  expect(await json('tenant', 'show')).toMatchObject({ id: 'default' });
});

test('without a credential, a command says how to give it one', async () => {
  const refused = await runInProcess('tenant', 'list', '--address', server.address);
  expect(refused).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(
      /has no credential.* With this command: --api-key-file FILE, or /,
    ) as unknown,
  });
});

test('a key is printed once, alone, and does what its scopes say', async () => {
  await json('tenant', 'create', 'keys');
  expect((await run('key', 'list', '--tenant', 'keys')).stdout).toBe('There are none.\n');
  const made = await run('key', 'create', '--tenant', 'keys', '--scope', 'read,admin', '--name', 'gateway');
  expect(made.code).toBe(0);
  expect(made.stdout).toMatch(/^chg_[0-9a-f]{16}_[0-9a-f]{64}\n$/);
  const [, id = ''] = made.stdout.split('_');
  expect(made.stderr).toContain(id);
  const own = join(directory, 'keys.key');
  await writeFile(own, made.stdout);
  expect((await runAs(own, 'key', 'list')).stdout).toMatch(
    new RegExp(`^${id} +gateway +read,admin +\\d{4}-`, 'm'),
  );
  const more = await runAs(own, 'key', 'create', '--scope', 'record');
  expect(more).toMatchObject({
    code: 1,
    stdout: '',
    stderr: expect.stringContaining('lacks RECORD') as unknown,
  });

  const file = join(directory, 'rotated.key');
  const rotated = await runAs(own, 'key', 'rotate', id, '--overlap', '12h', '--file', file);
  expect({ code: rotated.code, stdout: rotated.stdout }).toEqual({ code: 0, stdout: '' });
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect((await runAs(file, 'tenant', 'show')).code).toBe(0);
  const again = await runAs(own, 'key', 'rotate', id, '--file', file);
  expect(again).toMatchObject({ code: 2, stderr: expect.stringContaining('is there already') as unknown });

  expect((await run('key', 'revoke', id, '--tenant', 'keys')).code).toBe(2);
  expect(await json('key', 'revoke', id, '--tenant', 'keys', '--yes')).toHaveProperty('revokeTime');
  const { stdout } = await run('audit', 'list', '--tenant', 'keys');
  const actions = stdout
    .trim()
    .split('\n')
    .map((line) => /TenantService\/(\w+)/.exec(line)?.[1]);
  expect(actions).toEqual([undefined, 'RevokeApiKey', 'RotateApiKey', 'CreateApiKey', 'CreateTenant']);
  for (const key of [made.stdout.trim(), (await readFile(file, 'utf8')).trim()]) {
    expect(stdout).not.toContain(key.slice(-64));
  }
  const newest = await json('audit', 'list', '--tenant', 'keys', '--limit', '1');
  expect(newest).toMatchObject({ target: id, tenantId: 'keys', actorTenantId: 'default' });
});

test('the table of the audit log names the first of several charges, and JSON all', async () => {
  await json('tenant', 'create', 'voids');
  await store.owner.pool.query(
    `INSERT INTO audit_entry (tenant, id, actor, actor_tenant, action, target)
     VALUES ('voids', '7fffffff-0000-7000-8000-000000000000', 'a', 'voids', 'charge.v1.ChargeService/VoidCharge', 'c1, c2')`,
  );
  const list = ['audit', 'list', '--tenant', 'voids', '--limit', '1'];
  expect((await run(...list)).stdout).toContain('ChargeService/VoidCharge  c1, …');
  expect(await json(...list)).toMatchObject({ target: 'c1, c2' });
});

test('JSON has the key and what it may do, and a file takes the key away from it', async () => {
  await json('tenant', 'create', 'robots');
  const create = ['key', 'create', '--tenant', 'robots', '--scope', 'record', '--user', 'ann', '--json'];
  const { stdout } = await run(...create, '--expire-time', '2100-01-01');
  expect(JSON.parse(stdout)).toMatchObject({
    apiKey: { scopes: ['SCOPE_RECORD'], userProfile: 'ann', expireTime: '2100-01-01T00:00:00Z' },
    key: expect.stringMatching(/^chg_/) as unknown,
  });
  const file = join(directory, 'robots.key');
  const filed = await run(...create, '--file', file);
  expect(JSON.parse(filed.stdout)).not.toHaveProperty('key');
  expect(await readFile(file, 'utf8')).toMatch(/^chg_[0-9a-f]{16}_[0-9a-f]{64}\n$/);
});

test('what cannot be done is said, and leaves no file', async () => {
  const file = join(directory, 'nobody.key');
  const missing = await run('key', 'create', '--tenant', 'nobody', '--scope', 'read', '--file', file);
  expect(missing).toMatchObject({ code: 1, stderr: expect.stringContaining('TENANT_NOT_FOUND') as unknown });
  await expect(stat(file)).rejects.toThrow('ENOENT');
  const wrong = [
    [['key', 'create'], '--scope: say'],
    [['key', 'create', '--scope', 'write'], '"write" is none of'],
    [['key', 'rotate', '00', '--overlap', 'soon'], '--overlap'],
    [['tenant', 'create', 'x', '--unknown-user-profiles', 'constructor'], 'none of accept'],
    [['tenant', 'update', 'x', '--streams-max', '-1'], '--streams-max: expected'],
    [['tenant', 'update', 'x'], 'nothing is to be changed'],
  ] as const;
  for (const [args, text] of wrong) {
    expect(await run(...args)).toMatchObject({ code: 2, stderr: expect.stringContaining(text) as unknown });
  }
});
