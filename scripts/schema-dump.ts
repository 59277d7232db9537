/**
 * Prints the schema that the migrations make, read from a temporary database. `npm run
 * schema:dump` writes it to docs/schema.sql; `npm run schema:check` compares.
 */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { startEmbeddedPostgres } from '../src/embedded/postgres.ts';
import { migrate } from '../src/database/migrate.ts';
import { openDatabase } from '../src/database/orm.ts';
import { dumpSchema } from './lib/dump-schema.ts';

const quiet = { debug() {}, info() {}, warn: console.error, error: console.error };
const dataDir = await mkdtemp(join(tmpdir(), 'charge-schema-'));
const postgres = await startEmbeddedPostgres({ dataDir, logger: quiet });
try {
  await migrate(postgres.url, { lockTimeoutMs: 30_000 });
  const database = await openDatabase({
    databaseUrl: postgres.url,
    poolSizeMax: 2,
    entities: [],
    statementTimeoutMs: 30_000,
    connectTimeoutMs: 5_000,
    applicationName: 'schema dump',
  });
  try {
    process.stdout.write(await dumpSchema(database.pool));
  } finally {
    await database.close();
  }
} finally {
  await postgres.stop();
  await rm(dataDir, { recursive: true, force: true });
}
