/** Tenants of a bench, and what it costs to follow the journals of many. */

import { type Database, openDatabase } from '../../src/database/orm.ts';
import { journalEntities } from '../../src/journal/index.ts';
import { lastSequences } from '../../src/journal/read.ts';
import { usageEntities, UsageFollower } from '../../src/usage/index.ts';
import { readBacklogs } from '../../src/usage/store/journal-follower.ts';
import { runSql, withClient } from './environment.ts';
import { median } from './rounds.ts';

/** What the program of the scenario does: `quiet` makes single calls, `flood` batches, `many` single calls of {@link MANY} tenants in turn. */
export interface TenantJob {
  readonly load: 'quiet' | 'flood' | 'quiet_beside_flood' | 'many';
  readonly seconds: number;
}

export const QUIET = 'quiet';
export const FLOODING = 'flooding';
/** Tenants of the load `many`. */
export const MANY = 10_000;

/** The name of one of {@link MANY} tenants. */
export function manyTenant(index: number): string {
  return `tenant-${index}`;
}

/** Makes the tenants of all loads. */
export async function addTenants(databaseUrl: string): Promise<void> {
  const names = `SELECT name FROM (SELECT 'tenant-' || n AS name FROM generate_series(0, ${MANY - 1}) AS n
    UNION ALL VALUES ('${QUIET}'), ('${FLOODING}')) AS names`;
  await runSql(
    databaseUrl,
    `INSERT INTO journal_head (tenant, last_sequence) SELECT name, 0 FROM (${names}) AS added`,
    `INSERT INTO tenant_lock SELECT name FROM (${names}) AS added`,
    'ANALYZE journal_head',
  );
}

/** Milliseconds, each a median, and seconds. */
export interface FollowCosts {
  /** A poll for the watches of 1,000 tenants. */
  readonly pollMs: number;
  /** A look at which tenants are behind, if none is. */
  readonly lookMs: number;
  /** Until the sums have an event of each of 1,000 tenants, in seconds. */
  readonly sumsSeconds: number;
}

const REPEATS = 40;
/** Tenants that are watched, and tenants that record. The others are idle. */
const ACTIVE = 1_000;

/** Measures the statements that follow journals, on a database with {@link MANY} tenants that have nothing yet. */
export async function measureFollowing(databaseUrl: string): Promise<FollowCosts> {
  const database = await openDatabase({
    databaseUrl,
    entities: [...journalEntities, ...usageEntities],
    poolSizeMax: 1,
    everyTenant: true,
    statementTimeoutMs: 30_000,
    connectTimeoutMs: 5_000,
    applicationName: 'bench',
  });
  try {
    const watched = Array.from({ length: ACTIVE }, (_, index) => manyTenant(index * (MANY / ACTIVE)));
    const pollMs = await medianMs(() => lastSequences(database.em.fork(), watched));
    const lookMs = await medianMs(() => readBacklogs(database));
    // Events of nothing: what remains is the look, the transaction and the cursor of each tenant.
    await withClient(databaseUrl, (client) =>
      client.query('UPDATE journal_head SET last_sequence = 1 WHERE tenant = ANY($1)', [watched]),
    );
    const startedAtMs = performance.now();
    await followAll(database);
    return { pollMs, lookMs, sumsSeconds: (performance.now() - startedAtMs) / 1000 };
  } finally {
    await database.close();
  }
}

async function medianMs(work: () => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  for (let repeat = 0; repeat < REPEATS; repeat++) {
    const startedAtMs = performance.now();
    await work();
    times.push(performance.now() - startedAtMs);
  }
  return median(times);
}

async function followAll(database: Database): Promise<void> {
  const done = Promise.withResolvers<void>();
  let followed = 0;
  const events = {
    followed: (count: number) => {
      followed += count;
      if (followed === ACTIVE) done.resolve();
    },
    lag: () => undefined,
    succeeded: () => undefined,
    failed: (error: unknown) => done.reject(error),
  };
  const follower = new UsageFollower(database, { periodMs: 10, stepEventsMax: 50_000, lagMaxMs: 0 }, events);
  follower.start();
  try {
    await done.promise;
  } finally {
    await follower.stop();
  }
}
