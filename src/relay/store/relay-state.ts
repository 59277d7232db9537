/**
 * What the relay keeps in PostgreSQL: who leads, how far each journal is published, the dead letters.
 *
 * Commits of the lease and of the cursors do not wait for the disk: if a crash of PostgreSQL loses the last
 * ones, events are looked up in the stream or sent again. `set_config(…, true)` says so in the statement
 * itself, for its own transaction. As a setting of the session, a pooler could give it to a writer.
 */

import type { EntityManager } from '@mikro-orm/postgresql';

import { DeadLetter } from '../entity.ts';

/** There is one relay for all journals. */
const LEASE_NAME = 'relay';

const RELAXED = `set_config('synchronous_commit', 'off', true)`;

/** A term of leadership. Statements that carry it do nothing once somebody else has taken over. */
export interface Lease {
  readonly holder: string;
  readonly epoch: bigint;
}

/**
 * Takes or renews the lease for `ttlMs`, by the database's clock alone; undefined while another
 * holder's term runs. The epoch grows whenever the holder changes.
 */
export async function acquireLease(
  em: EntityManager,
  holder: string,
  ttlMs: number,
): Promise<Lease | undefined> {
  const [row] = await em.execute<{ epoch: string }[]>(
    `INSERT INTO relay_lease (name, epoch, holder, expire_time)
     VALUES (:name, 1, :holder, clock_timestamp() + :ttlMs::bigint * interval '1 millisecond')
     ON CONFLICT (name) DO UPDATE SET
       holder = EXCLUDED.holder,
       epoch = relay_lease.epoch + (relay_lease.holder <> EXCLUDED.holder)::int,
       expire_time = EXCLUDED.expire_time
     WHERE relay_lease.holder = EXCLUDED.holder OR relay_lease.expire_time < clock_timestamp()
       -- Further ahead than any term can reach: the clock was set back, and nobody could lead for long.
       OR relay_lease.expire_time > EXCLUDED.expire_time + interval '1 minute'
     RETURNING epoch, ${RELAXED}`,
    { name: LEASE_NAME, holder, ttlMs: Math.trunc(ttlMs) },
  );
  return row && { holder, epoch: BigInt(row.epoch) };
}

/** Ends the term at once, so that another replica need not wait for its expiry. */
export async function releaseLease(em: EntityManager, lease: Lease): Promise<void> {
  await em.execute(
    `UPDATE relay_lease SET expire_time = '-infinity'
     WHERE name = :name AND holder = :holder AND epoch = :epoch`,
    { name: LEASE_NAME, ...lease },
  );
}

/** A journal with events that are not published yet. */
export interface Backlog {
  readonly tenant: string;
  readonly publishedSequence: bigint;
  readonly lastSequence: bigint;
}

/** Which journals {@link readBacklogs} reads. */
export interface BacklogQuery {
  /** Undefined: all, which costs a scan of their heads and cursors (5 ms of CPU for 10,000). */
  readonly tenants?: readonly string[] | undefined;
  /** The tenants after this one come first, in order, then the others: so that each has its turn. */
  readonly after?: string;
  readonly limit: number;
}

/** The journals with unpublished events, at most `limit`. */
export async function readBacklogs(
  em: EntityManager,
  { tenants, after = '', limit }: BacklogQuery,
): Promise<Backlog[]> {
  const rows = await em.execute<{ tenant: string; published: string; last: string }[]>(
    `SELECT tenant, coalesce(published_sequence, 0) AS published, last_sequence AS last
     FROM journal_head LEFT JOIN relay_cursor USING (tenant)
     WHERE last_sequence > coalesce(published_sequence, 0) ${tenants ? 'AND tenant = ANY(:tenants::text[])' : ''}
     ORDER BY tenant <= :after, tenant LIMIT :limit`,
    { tenants, after, limit },
  );
  return rows.map(({ tenant, published, last }) => ({
    tenant,
    publishedSequence: BigInt(published),
    lastSequence: BigInt(last),
  }));
}

/**
 * Marks everything up to a number of each tenant as published, after the broker's acknowledgement. False if the lease
 * belongs to somebody else now. A cursor never moves back.
 */
export async function advanceCursors(
  em: EntityManager,
  lease: Lease,
  published: ReadonlyMap<string, bigint>,
): Promise<boolean> {
  const rows = await em.execute<unknown[]>(
    `INSERT INTO relay_cursor (tenant, published_sequence)
     SELECT tenant, sequence FROM relay_lease CROSS JOIN unnest(:tenants::text[], :sequences::bigint[]) AS published (tenant, sequence)
     WHERE name = :name AND holder = :holder AND epoch = :epoch AND expire_time > clock_timestamp()
     -- Two relays at the end of a term lock the rows in the same order.
     ORDER BY tenant
     ON CONFLICT (tenant) DO UPDATE
       SET published_sequence = greatest(relay_cursor.published_sequence, EXCLUDED.published_sequence)
     RETURNING ${RELAXED}`,
    { tenants: [...published.keys()], sequences: [...published.values()], name: LEASE_NAME, ...lease },
  );
  return rows.length === published.size;
}

/** Keeps an event that the broker will never accept, with the reason, so that the others can be published. */
export async function insertDeadLetter(
  em: EntityManager,
  tenant: string,
  sequence: bigint,
  reason: string,
): Promise<void> {
  const builder = em.createQueryBuilder(DeadLetter).insert({ tenant, sequence, reason });
  await builder.onConflict(['tenant', 'sequence']).ignore().execute();
}

/** Events that are not in the stream. */
export interface Unpublished {
  /** Committed events of all journals that wait to be published. */
  readonly waiting: number;
  /** Rows of `dead_letter`, counted up to {@link DEAD_LETTERS_COUNTED_MAX}. */
  readonly deadLetters: number;
}

/** Counting more, once a second, would be work for the database. */
const DEAD_LETTERS_COUNTED_MAX = 10_000;

/** How many events are not in the stream. */
export async function readUnpublished(em: EntityManager): Promise<Unpublished> {
  const [row] = await em.execute<{ waiting: string; dead_letters: string }[]>(
    `SELECT coalesce(sum(last_sequence - coalesce(published_sequence, 0)), 0) AS waiting,
       (SELECT count(*) FROM (SELECT FROM dead_letter LIMIT :max) AS counted) AS dead_letters
     FROM journal_head LEFT JOIN relay_cursor USING (tenant)`,
    { max: DEAD_LETTERS_COUNTED_MAX },
  );
  return { waiting: Number(row?.waiting ?? 0), deadLetters: Number(row?.dead_letters ?? 0) };
}
