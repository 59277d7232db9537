/** Transactions of several statements. */

import type { EntityManager } from '@mikro-orm/postgresql';
import type { ClientBase } from 'pg';

import { onClient, withClient } from './driver.ts';
import type { Database } from './orm.ts';
import { isStatementError } from './sql-errors.ts';
import { setTenant } from './tenant.ts';

/** The connection of an open transaction, for prepared statements, and MikroORM on the same one. */
export interface Transaction {
  readonly client: ClientBase;
  readonly em: EntityManager;
}

/**
 * A database, a role or a pooler may have turned `synchronous_commit` off. It is turned on again for this transaction
 * only; every other setting waits for the disk and is left alone.
 */
const BEGIN = `BEGIN ISOLATION LEVEL READ COMMITTED;
SELECT CASE current_setting('synchronous_commit') WHEN 'off' THEN set_config('synchronous_commit', 'on', true) END`;

/**
 * Runs `work` in a transaction of the tenant and resolves after COMMIT. If it rejects without having called
 * `mayBeStored`, nothing was stored.
 */
export function inTransaction<T>(
  { pool, em }: Database,
  tenant: string,
  work: (transaction: Transaction) => Promise<T>,
  mayBeStored: () => void,
): Promise<T> {
  return withClient(pool, (client) =>
    transactionOn({ client, em: onClient(em, client) }, tenant, work, mayBeStored),
  );
}

/** The same on a connection that the caller has, outside of any transaction. If it fails, the caller closes it. */
export async function transactionOn<T>(
  transaction: Transaction,
  tenant: string,
  work: (transaction: Transaction) => Promise<T>,
  mayBeStored: () => void = () => undefined,
): Promise<T> {
  const { client } = transaction;
  await client.query(`${BEGIN}; ${setTenant(tenant)}`);
  let result: T;
  try {
    result = await work(transaction);
  } catch (error) {
    // After any other error the connection is closed, which ends the transaction.
    if (isStatementError(error)) await client.query('ROLLBACK');
    throw error;
  }
  try {
    await client.query('COMMIT');
  } catch (error) {
    if (!isStatementError(error)) mayBeStored();
    throw error;
  }
  return result;
}
