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
export async function createTestDatabase(): Promise<TestDatabase> {
  const adminUrl = process.env['TEST_POSTGRES_URL'];
  if (adminUrl === undefined)
    throw new Error('TEST_POSTGRES_URL is not set: run the tests through jest.config.js');
  const name = `test_${randomBytes(8).toString('hex')}`;
  await query(adminUrl, `CREATE DATABASE ${name}`);
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
