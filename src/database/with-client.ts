/** One pooled connection for a piece of work. */

import type { Pool, PoolClient } from 'pg';

/**
 * Runs `work` on a pooled connection; one on which something failed is not used again. Rejects with
 * what `work` threw, or with the pool's own error where no connection was to be had.
 */
export async function withClient<T>(pool: Pool, work: (client: PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  let failed = true;
  try {
    const result = await work(client);
    failed = false;
    return result;
  } finally {
    client.release(failed);
  }
}
