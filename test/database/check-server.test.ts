/** Databases that this version cannot use are refused, with what to do. */

import { expect, test } from '@jest/globals';

import { checkServer } from '../../src/database/check-server.ts';
import { migrate } from '../../src/database/migrate.ts';
import { classifySqlError } from '../../src/database/sql-errors.ts';
import { migrateWhenReachable } from '../../src/supervisor/migrate-when-reachable.ts';
import { query, recordingLogger } from '../embedded/support.ts';
import { createTestDatabase, oneLogin } from '../support/database.ts';

const run = (url: string) =>
  migrate(url, { lockTimeoutMs: 30_000 }).then(
    () => undefined,
    (error: unknown) => error as Error,
  );

test('a PostgreSQL that is too old', async () => {
  const client = { query: () => Promise.resolve({ rows: [{ version: 14, encoding: 'UTF8' }] }) };
  await expect(checkServer(client as never, [])).rejects.toThrow(
    'this is PostgreSQL 14, and the service needs 15 or newer',
  );
});

test('a database whose encoding cannot hold every text, and one that a newer version has migrated', async () => {
  const database = await createTestDatabase();
  const name = new URL(database.url).pathname.slice(1);
  const ascii = new URL(database.url);
  ascii.pathname = `/${name}_ascii`;
  try {
    await query(
      database.url,
      `CREATE DATABASE ${name}_ascii ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0`,
    );
    const refused = await run(ascii.href);
    expect(refused?.message).toContain(`the database ${name}_ascii has the encoding SQL_ASCII`);
    // It is not tried again.
    expect(classifySqlError(refused)).toBe('other');

    expect(await run(database.url)).toBeUndefined();
    await query(database.url, `INSERT INTO migration (name) VALUES ('29990101000000-later')`);
    expect((await run(database.url))?.message).toContain(
      'a newer version of the service has migrated this database (29990101000000-later)',
    );
  } finally {
    await query(database.url, `DROP DATABASE IF EXISTS ${name}_ascii WITH (FORCE)`);
    await database.drop();
  }
});

test('a role that may not make the tables', async () => {
  const database = await createTestDatabase();
  const role = `svc_${new URL(database.url).pathname.slice(-12)}`;
  const url = new URL(database.url);
  url.username = role;
  url.password = 'p';
  try {
    await query(database.url, `CREATE ROLE ${role} LOGIN PASSWORD 'p'`);
    const signal = new AbortController().signal;
    const refused = migrateWhenReachable(oneLogin(url.href), recordingLogger() as never, signal);
    await expect(refused).rejects.toThrow(
      /permission denied for schema public.* set MIGRATION_DATABASE_URL to .* and GRANT charge_service to/,
    );
  } finally {
    await database.drop();
    await query(process.env['TEST_POSTGRES_URL'] ?? '', `DROP ROLE ${role}`);
  }
});
