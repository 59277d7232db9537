/** A service with two logins of PostgreSQL: one owns the tables, the other may only do what the service does. */

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';

import { migrate } from '../../src/database/migrate.ts';
import { SERVICE_ROLE } from '../../src/database/service-role.ts';
import { createTestDatabase, query, type TestDatabase } from '../support/database.ts';
import { startTool } from '../support/tools.ts';
import { waitFor } from '../support/wait-for.ts';
import { create, Services } from './support.ts';
import { readPage } from './support/docs-page.ts';

const CLUSTER_URL = process.env['TEST_POSTGRES_URL'] ?? '';
/** A NATS that is not there: charges need none. */
const NATS_URL = 'nats://127.0.0.1:1';
const OWNER_PASSWORD = 'password-of-the-owner';
const SERVICE_PASSWORD = 'password-of-the-service';

let services: Services;
let database: TestDatabase;
let owner: string;
let login: string;
/** Of the two logins. */
let ownerUrl: string;
let serviceUrl: string;

/** A URL of the database with this login. */
function urlOf(user: string, password: string): string {
  return Object.assign(new URL(database.url), { username: user, password }).href;
}

/** Those of docs/postgresql.md, with names of this test. */
function statementsOfPage(database: string): string[] {
  const [, section = ''] = readPage('postgresql.md').split('\n### Two logins\n');
  const sql = /```sql\n(.*?)```/s.exec(section)?.[1] ?? '';
  const named = sql
    .replace(/(charge_owner LOGIN PASSWORD )'…'/, `$1'${OWNER_PASSWORD}'`)
    .replace(/(charge_login LOGIN PASSWORD )'…'/, `$1'${SERVICE_PASSWORD}'`)
    .replaceAll('charge_owner', owner)
    .replaceAll('charge_login', login)
    .replace('DATABASE charge ', `DATABASE ${database} `);
  // The role of the service is there already.
  return named.split('\n').filter((line) => line !== '' && line !== `CREATE ROLE ${SERVICE_ROLE} NOLOGIN;`);
}

beforeAll(async () => {
  // The role belongs to the cluster, and neither login may make it.
  const other = await createTestDatabase();
  await migrate(other.url, { lockTimeoutMs: 30_000 }).finally(() => other.drop());
});
beforeEach(async () => {
  [services, database] = await Promise.all([Services.open(), createTestDatabase()]);
  const name = new URL(database.url).pathname.slice(1);
  [owner, login] = [`owner_${name}`, `login_${name}`];
  [ownerUrl, serviceUrl] = [urlOf(owner, OWNER_PASSWORD), urlOf(login, SERVICE_PASSWORD)];
  await database.drop();
  await query(CLUSTER_URL, ...statementsOfPage(name));
});
afterEach(async () => {
  await services.close();
  await database.drop();
  await query(CLUSTER_URL, `DROP ROLE ${owner}, ${login}`);
});

test('the owner migrates, and the login of the service records charges and can change no past', async () => {
  const service = services.start({ DATABASE_URL: serviceUrl, MIGRATION_DATABASE_URL: ownerUrl, NATS_URL });
  await service.ready();
  expect((await create(await service.client(), 'two-logins')).charge?.id).not.toBe('');

  const everyTenant = `SET charge.tenant = '*'`;
  expect(await query(serviceUrl, everyTenant, 'SELECT count(*)::int AS charges FROM charge')).toEqual([
    { charges: 1 },
  ]);
  await expect(query(serviceUrl, 'ALTER TABLE charge DISABLE TRIGGER ALL')).rejects.toThrow('must be owner');
  for (const change of ['DELETE FROM charge', 'UPDATE charge SET model = $$x$$', 'TRUNCATE journal']) {
    await expect(query(serviceUrl, everyTenant, change)).rejects.toThrow('permission denied');
  }
  const bootstrap = ['key', 'bootstrap', '--database-url', serviceUrl];
  const made = await startTool(process.execPath, ['src/cli/charge.js', ...bootstrap]).ended;
  expect(made).toMatchObject({ status: 0, stdout: expect.stringMatching(/^chg_/) as unknown });

  const owners = `SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'`;
  expect(await query(database.url, owners)).toEqual([{ tableowner: owner }]);

  const sessions = `SELECT DISTINCT usename FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND usename IS NOT NULL`;
  expect(await query(database.url, sessions)).toEqual([{ usename: login }]);
  const [server] = await service.serverPids();
  const environment = await readFile(`/proc/${server}/environ`, 'utf8');
  expect(environment).toContain(SERVICE_PASSWORD);
  expect(environment).not.toContain(OWNER_PASSWORD);
  // Of what the sessions may do too much; the other warnings are about NATS and open mode.
  const warnings = service.lines.filter(({ level }) => level >= 40).map(({ msg }) => msg);
  expect(warnings.join('\n')).not.toMatch(/owns the tables|keep tenants apart/);
  expect(JSON.stringify(service.lines) + service.stderr).not.toContain('password-of');
}, 60_000);

test('the printed command makes the first key with the login of the service, and no argument has its password', async () => {
  const variables = {
    DATABASE_URL: serviceUrl,
    MIGRATION_DATABASE_URL: ownerUrl,
    AUTHENTICATION: 'required',
  };
  const service = services.start({ ...variables, NATS_URL });
  await service.ready();
  const printed = await waitFor('the commands to type next', () =>
    service.lines
      .flatMap((line) => (line['commands'] ?? []) as string[])
      .find((command) => command.includes('key bootstrap')),
  );
  const file = join(services.dataDir, 'operator.key');
  const script = `export DATABASE_URL='${serviceUrl}'
    npx() { shift; echo "$*"; '${process.execPath}' src/cli/charge.js "$@"; }
    ${printed.replace('operator.key', file)}`;
  const made = await startTool('sh', ['-c', script]).ended;
  expect(made).toMatchObject({ status: 0, stdout: expect.stringContaining('key bootstrap') as unknown });
  expect(made.stdout).not.toContain('password-of');
  expect(await readFile(file, 'utf8')).toMatch(/^chg_/);
}, 60_000);

test('without MIGRATION_DATABASE_URL, a login that may not migrate is told what to do', async () => {
  const service = services.start({ DATABASE_URL: serviceUrl, NATS_URL });
  expect(await service.exited()).toBe(1);
  const last = service.lines.at(-1)?.msg;
  expect(last).toMatch(
    /^the service did not start: PostgreSQL at [^ ]+ cannot be used: permission denied for schema public/,
  );
  expect(last).toContain('set MIGRATION_DATABASE_URL to a login that owns the database');
  expect(JSON.stringify(service.lines) + service.stderr).not.toContain('password-of');
}, 60_000);
