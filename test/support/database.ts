/** A fresh PostgreSQL database for a suite, on the server that the global set-up started. */
import { randomBytes } from 'node:crypto';
import pg from 'pg';

import type { DatabaseUrls } from '../../src/supervisor/migrate-when-reachable.ts';

/** A database of its own. */
export interface TestDatabase {
  /** Connection string of a superuser: row-level security does not bind it. */
  url: string;
  /** Drops the database and whatever connection is still open to it. Any number of calls. */
  drop(): Promise<void>;
}

/** Creates an empty database with a random name. Throws when the global set-up has not run. */
export function createTestDatabase(): Promise<TestDatabase> {
  return createDatabase(setting('TEST_POSTGRES_URL'), 'template1');
}

/** The same with the tables of this version: a copy, which takes less time than migrations. */
export function createMigratedDatabase(): Promise<TestDatabase> {
  return createDatabase(setting('TEST_POSTGRES_URL'), setting('TEST_TEMPLATE_DATABASE'));
}

async function createDatabase(adminUrl: string, template: string): Promise<TestDatabase> {
  const name = `test_${randomBytes(8).toString('hex')}`;
  await query(adminUrl, `CREATE DATABASE ${name} TEMPLATE ${template}`);
  const url = new URL(adminUrl);
  url.pathname = `/${name}`;
  return {
    url: url.href,
    drop: async () => {
      await query(adminUrl, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
    },
  };
}

/** The URLs of a start that has one login for everything. */
export function oneLogin(databaseUrl: string): DatabaseUrls {
  return { databaseUrl, migrationDatabaseUrl: databaseUrl };
}

function setting(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set: run the tests through jest.config.js`);
  return value;
}

/** Runs statements on a connection of its own and returns the rows of the last. */
export async function query(url: string, ...statements: string[]): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: 5_000,
    query_timeout: 30_000,
  });
  client.on('error', () => undefined);
  await client.connect();
  try {
    let rows: Record<string, unknown>[] = [];
    for (const statement of statements) ({ rows } = await client.query<Record<string, unknown>>(statement));
    return rows;
  } finally {
    await client.end();
  }
}
