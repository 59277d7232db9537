/** The connections of a server process to PostgreSQL. */

import { chargeEntities } from '../charges/index.ts';
import { openDatabase } from '../database/orm.ts';
import { journalEntities } from '../journal/index.ts';
import { priceEntities } from '../prices/index.ts';
import { tenantEntities } from '../tenants/index.ts';
import { usageEntities } from '../usage/index.ts';
import { POOL_SIZES, writePoolSize } from './pool-sizes.ts';

const STATEMENT_TIMEOUT_MS = 30_000;
/** For one day of sums, or one search in the journal. */
const RECONCILE_STATEMENT_TIMEOUT_MS = 10 * 60_000;

/** All of them, by what they are for. */
export type Connections = Awaited<ReturnType<typeof openConnections>>;

/** Six pools, so that nothing waits for a connection that something slow is using. */
export async function openConnections(writers: number, databaseUrl: string) {
  const connection = {
    databaseUrl,
    entities: [...chargeEntities, ...journalEntities, ...priceEntities, ...tenantEntities, ...usageEntities],
    statementTimeoutMs: STATEMENT_TIMEOUT_MS,
    connectTimeoutMs: 5_000,
    applicationName: 'charge-service server',
  };
  const database = await openDatabase({ ...connection, poolSizeMax: POOL_SIZES.reads });
  // Connections of their own, so that no number of reads can delay writes.
  const writes = await openDatabase({ ...connection, poolSizeMax: writePoolSize(writers) });
  // Every watch of this process waits for its answers, so it must not wait for a connection after their reads.
  // They poll all journals.
  const polls = await openDatabase({
    ...connection,
    poolSizeMax: POOL_SIZES.watches,
    statementTimeoutMs: 5_000,
    everyTenant: true,
  });
  // Not those of the writers: a transaction that waits for the lock of its tenant must not keep charges from being
  // written. One for corrections, one for reprices and one for erasures: each makes one transaction at a time.
  const corrections = await openDatabase({ ...connection, poolSizeMax: POOL_SIZES.corrections });
  // For Reconcile, which runs for minutes and locks the place of the sums. Its largest day may take a while.
  const comparisons = await openDatabase({
    ...connection,
    poolSizeMax: POOL_SIZES.comparisons,
    statementTimeoutMs: RECONCILE_STATEMENT_TIMEOUT_MS,
  });
  // Every first call of a credential or of a tenant waits for its answers. The tenant is not known before.
  const access = await openDatabase({
    ...connection,
    poolSizeMax: POOL_SIZES.access,
    statementTimeoutMs: 5_000,
    everyTenant: true,
  });
  return { database, writes, polls, corrections, comparisons, access };
}

/** The pools by the names that the metrics give them. */
export function poolsOf({ database, writes, polls, corrections, comparisons, access }: Connections) {
  return {
    reads: database.pool,
    writes: writes.pool,
    watches: polls.pool,
    corrections: corrections.pool,
    comparisons: comparisons.pool,
    access: access.pool,
  };
}
