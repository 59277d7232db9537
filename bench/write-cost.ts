/**
 * What one row costs PostgreSQL, index by index, and what ON CONFLICT adds. No peer and no ratio: it
 * says where the time of the write statement goes.
 *
 *   node bench/write-cost.ts
 */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { startEmbeddedPostgres } from '../src/embedded/postgres.ts';
import { migrate } from '../src/store/migrate.ts';
import { openDatabase } from '../src/store/orm.ts';

const ROWS = 20_000;
const ROUNDS = 3;
/** Dropped one after another, each with what it is: the cost of a row falls by the cost of the index. */
const STEPS = [
  ['session index', 'DROP INDEX charge_session_key_idx'],
  ['reference index', 'DROP INDEX charge_reference_idx'],
  ['user index', 'DROP INDEX charge_user_profile_idx'],
  ['usage time index', 'DROP INDEX charge_usage_time_idx'],
  ['request id key', 'ALTER TABLE charge DROP CONSTRAINT charge_request_id_key'],
  ['primary key', 'ALTER TABLE charge DROP CONSTRAINT charge_pkey'],
] as const;
const INSERT = `
  INSERT INTO charge (tenant, id, request_id, content_hash, user_profile, session_key, provider,
    charge_type, prompt_tokens, completion_tokens, total_tokens, model, usage_time, create_time)
  SELECT 'default', gen_random_uuid(), gen_random_uuid()::text, decode('00112233445566778899aabbccddeeff', 'hex'),
    'user-' || (i % 1000), 'session-' || (i % 5000), 1, 1, 10, 5, 15, 'gpt-4o',
    now() + i * interval '1 ms', now()
  FROM generate_series(1, ${ROWS}) AS i`;

const quiet = { debug() {}, info() {}, warn: console.error, error: console.error };
const dataDir = await mkdtemp(join(tmpdir(), 'charge-write-cost-'));
const postgres = await startEmbeddedPostgres({ dataDir, logger: quiet, settings: { autovacuum: 'off' } });
try {
  const database = await openDatabase({
    databaseUrl: postgres.url,
    // One for the lock of the migration, one for its statements.
    poolSizeMax: 2,
    writePoolSizeMax: 1,
    durableCommits: true,
    statementTimeoutMs: 60_000,
    connectTimeoutMs: 5_000,
    applicationName: 'write cost',
  });
  try {
    await migrate(database, 30_000);
    const print = async (label: string, sql: string): Promise<void> => {
      const micros: number[] = [];
      for (let round = 0; round < ROUNDS; round++) {
        const startedAt = performance.now();
        await database.writePool.query(sql);
        micros.push(((performance.now() - startedAt) * 1000) / ROWS);
      }
      const median = micros.sort((a, b) => a - b)[Math.floor(ROUNDS / 2)] ?? NaN;
      console.log(`${label.padEnd(34)} ${median.toFixed(1)} µs/row`);
    };
    await print('all indexes', INSERT);
    await print('all indexes, ON CONFLICT', `${INSERT} ON CONFLICT (tenant, request_id) DO NOTHING`);
    for (const [name, sql] of STEPS) {
      await database.writePool.query(sql);
      await print(`then without the ${name}`, INSERT);
    }
  } finally {
    await database.close();
  }
} finally {
  await postgres.stop();
  await rm(dataDir, { recursive: true, force: true });
}
