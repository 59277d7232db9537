/** A start with login roles that may do too much, too little, and just enough. */

import { afterEach, beforeEach, expect, test } from '@jest/globals';

import { migrate } from '../../src/database/migrate.ts';
import { SERVICE_ROLE } from '../../src/database/service-role.ts';
import { migrateWhenReachable } from '../../src/supervisor/migrate-when-reachable.ts';
import { recordingLogger } from '../embedded/support.ts';
import { createTestDatabase, query, type TestDatabase } from '../support/database.ts';
import { startPostgresServer } from '../support/postgres-server.ts';
import { openTestDatabase } from '../support/store.ts';

const CLUSTER_URL = process.env['TEST_POSTGRES_URL'] ?? '';

let database: TestDatabase;
/** Not a member of any role. */
let login: string;
/** Of `login`. */
let url: string;

beforeEach(async () => {
  // The role of the service belongs to the cluster, and the global set-up has made it. No login role below may.
  database = await createTestDatabase();
  const loginUrl = new URL(database.url);
  login = `login_${loginUrl.pathname.slice(-12)}`;
  [loginUrl.username, loginUrl.password] = [login, 'p'];
  url = loginUrl.href;
  await query(CLUSTER_URL, `CREATE ROLE ${login} LOGIN PASSWORD 'p'`);
});
afterEach(async () => {
  await database.drop();
  await query(CLUSTER_URL, `DROP ROLE ${login}`);
});

/** What a start logs. */
async function start(databaseUrl = url, migrationDatabaseUrl = databaseUrl): Promise<string[]> {
  const logger = recordingLogger();
  const urls = { databaseUrl, migrationDatabaseUrl };
  await migrateWhenReachable(urls, logger as never, new AbortController().signal);
  return logger.lines.filter((line) => !line.startsWith('migrated the database'));
}

/** Lets the login role make the tables. */
const own = (): Promise<unknown> => query(database.url, `GRANT CREATE ON SCHEMA public TO ${login}`);

test('an owner who may not work as the service is warned about, and row-level security binds it', async () => {
  await own();
  const advice = `Make the role ${SERVICE_ROLE} and grant it to "${login}"`;
  expect(await start()).toEqual([
    expect.stringContaining(`"${login}" owns the tables, and could change the past. ${advice}`),
  ]);
  const owned = await openTestDatabase(url);
  const heads = await owned.pool.query('SELECT FROM journal_head').finally(() => owned.close());
  expect(heads.rowCount).toBe(0);

  await query(database.url, `GRANT ${SERVICE_ROLE} TO ${login}`);
  expect(await start()).toEqual([]);
});

test('a role with BYPASSRLS that may not work as the service is warned about', async () => {
  await own();
  await query(CLUSTER_URL, `ALTER ROLE ${login} BYPASSRLS`);
  expect(await start()).toEqual([
    expect.stringContaining(
      `PostgreSQL does not keep tenants apart: "${login}" is a superuser or has BYPASSRLS`,
    ),
  ]);
  await query(database.url, `GRANT ${SERVICE_ROLE} TO ${login}`);
  expect(await start()).toEqual([]);
});

test('a role without privileges is refused with what to do; with those of the service it starts', async () => {
  await migrate(database.url, { lockTimeoutMs: 30_000 });
  await query(database.url, `GRANT SELECT ON migration TO ${login}`);
  await expect(start()).rejects.toThrow(
    `the role "${login}" may not use the tables: GRANT ${SERVICE_ROLE} TO "${login}"`,
  );
  await query(database.url, `REVOKE SELECT ON migration FROM ${login}`, `GRANT ${SERVICE_ROLE} TO ${login}`);
  expect(await start()).toEqual([]);
});

test('a login that may not migrate starts with another one that does', async () => {
  const advice = /set MIGRATION_DATABASE_URL to a login that owns the database, and GRANT charge_service to/;
  await expect(start()).rejects.toThrow(advice);
  await expect(start(url, database.url)).rejects.toThrow(
    /^PostgreSQL at [^ ]+ \(DATABASE_URL\) cannot be used: the role "login_\w+" may not use the tables: GRANT /,
  );
  await query(database.url, `GRANT ${SERVICE_ROLE} TO ${login}`);
  expect(await start(url, database.url)).toEqual([]);
  // After an update.
  await query(
    database.url,
    'DELETE FROM migration WHERE name = (SELECT name FROM migration ORDER BY name DESC LIMIT 1)',
  );
  await expect(start()).rejects.toThrow(advice);
});

test('a message names the URL that it is about, and no password', async () => {
  await expect(start(database.url, url.replace(':p@', ':wrong@'))).rejects.toThrow(
    /^PostgreSQL at [^ ]+ \(MIGRATION_DATABASE_URL\) cannot be used: password authentication failed(?!.*wrong)/,
  );
  await expect(start(database.url, url)).rejects.toThrow(
    /\(MIGRATION_DATABASE_URL\) cannot be used: permission denied for schema public.* of MIGRATION_DATABASE_URL needs/,
  );
  const other = await createTestDatabase();
  try {
    await expect(start(url, other.url)).rejects.toThrow(
      /\(DATABASE_URL\) cannot be used: the role "login_\w+" sees no table .* must lead to the same database and schema/,
    );
  } finally {
    await other.drop();
  }
});

test('an owner who may make roles makes that of the service, and again where the database was restored', async () => {
  const server = await startPostgresServer();
  try {
    await server.query('ALTER ROLE svc CREATEROLE', 'GRANT CREATE ON SCHEMA public TO svc');
    const svc = `svc:${encodeURIComponent(server.password)}`;
    const svcUrl = `postgresql://${svc}@127.0.0.1:${server.port}/book?sslmode=require`;
    expect(await start(svcUrl)).toEqual([]);
    // What pg_restore leaves in a cluster without the role.
    await server.query(
      `DROP OWNED BY ${SERVICE_ROLE}`,
      `DROP ROLE ${SERVICE_ROLE}`,
      'GRANT EXECUTE ON FUNCTION archive_charges TO PUBLIC',
    );
    expect(await start(svcUrl)).toEqual([]);
    const rights = `SELECT has_function_privilege(rolname, 'archive_charges(uuid[])', 'EXECUTE') AS may
      FROM pg_roles WHERE rolname IN ('${SERVICE_ROLE}', 'pg_monitor') ORDER BY rolname`;
    expect(await server.query(rights)).toEqual([{ may: true }, { may: false }]);
  } finally {
    await server.stop();
  }
});
