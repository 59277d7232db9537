/** What the relay keeps in PostgreSQL: who leads, how far each book is published, what was set aside. */

import type { Pool } from 'pg';

/** There is one relay for all books. */
const LEASE_NAME = 'relay';

/** A term of leadership. Statements that carry it do nothing once somebody else has taken over. */
export interface Lease {
  readonly holder: string;
  readonly epoch: string;
}

/**
 * Takes or renews the lease for `ttlMs`, by the database's clock alone; undefined while another
 * holder's term runs. The epoch grows with every change of hands.
 */
export async function acquireLease(pool: Pool, holder: string, ttlMs: number): Promise<Lease | undefined> {
  const result = await pool.query<{ epoch: string }>({
    name: 'acquire_lease',
    text: `
      INSERT INTO relay_lease (name, epoch, holder, expire_time)
      VALUES ($1, 1, $2, clock_timestamp() + $3::bigint * interval '1 millisecond')
      ON CONFLICT (name) DO UPDATE SET
        holder = EXCLUDED.holder,
        epoch = relay_lease.epoch + (relay_lease.holder <> EXCLUDED.holder)::int,
        expire_time = EXCLUDED.expire_time
      WHERE relay_lease.holder = EXCLUDED.holder OR relay_lease.expire_time < clock_timestamp()
        -- Further ahead than any term can reach: the clock was set back, and nobody could lead for long.
        OR relay_lease.expire_time > EXCLUDED.expire_time + interval '1 minute'
      RETURNING epoch`,
    values: [LEASE_NAME, holder, Math.trunc(ttlMs)],
  });
  const row = result.rows[0];
  return row && { holder, epoch: row.epoch };
}

/** Ends the term at once, so that another replica need not wait for its expiry. */
export async function releaseLease(pool: Pool, lease: Lease): Promise<void> {
  await pool.query(
    `UPDATE relay_lease SET expire_time = '-infinity' WHERE name = $1 AND holder = $2 AND epoch = $3`,
    [LEASE_NAME, lease.holder, lease.epoch],
  );
}

/** A book with events that are not published yet. */
export interface Backlog {
  readonly tenant: string;
  readonly publishedSequence: bigint;
  readonly lastSequence: bigint;
}

/** The books with unpublished events, at most `limit`, the longest backlog first. */
export async function readBacklogs(pool: Pool, limit: number): Promise<Backlog[]> {
  const result = await pool.query<{ tenant: string; published: string; last: string }>({
    name: 'read_backlogs',
    text: `
      SELECT book.tenant, coalesce(published_sequence, 0) AS published, last_sequence AS last
      FROM book LEFT JOIN relay_cursor USING (tenant)
      WHERE last_sequence > coalesce(published_sequence, 0)
      ORDER BY last_sequence - coalesce(published_sequence, 0) DESC LIMIT $1`,
    values: [limit],
  });
  return result.rows.map(({ tenant, published, last }) => ({
    tenant,
    publishedSequence: BigInt(published),
    lastSequence: BigInt(last),
  }));
}

/**
 * Marks everything up to `sequence` as published, after the broker's acknowledgement. False when
 * the lease is no longer ours; the cursor never moves back.
 */
export async function advanceCursor(
  pool: Pool,
  lease: Lease,
  tenant: string,
  sequence: bigint,
): Promise<boolean> {
  const result = await pool.query({
    name: 'advance_cursor',
    text: `
      INSERT INTO relay_cursor (tenant, published_sequence)
      SELECT $1, $2 FROM relay_lease
      WHERE name = $3 AND holder = $4 AND epoch = $5 AND expire_time > clock_timestamp()
      ON CONFLICT (tenant) DO UPDATE
        SET published_sequence = greatest(relay_cursor.published_sequence, EXCLUDED.published_sequence)`,
    values: [tenant, sequence, LEASE_NAME, lease.holder, lease.epoch],
  });
  return result.rowCount === 1;
}

/** Keeps an event that the broker refuses for good, with the reason, so that the rest can go on. */
export async function setAside(pool: Pool, tenant: string, sequence: bigint, reason: string): Promise<void> {
  await pool.query(
    `INSERT INTO relay_reject (tenant, sequence, reason, create_time)
     VALUES ($1, $2, $3, clock_timestamp()) ON CONFLICT DO NOTHING`,
    [tenant, sequence, reason],
  );
}

/** How many committed events of all books are not published yet. */
export async function readBacklogSize(pool: Pool): Promise<number> {
  const result = await pool.query<{ size: string }>({
    name: 'read_backlog_size',
    text: `
      SELECT coalesce(sum(last_sequence - coalesce(published_sequence, 0)), 0) AS size
      FROM book LEFT JOIN relay_cursor USING (tenant)`,
  });
  return Number(result.rows[0]?.size ?? 0);
}
