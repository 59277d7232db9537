/** Reads what the journal says about erased persons, and forgets who they were. */

import type { EntityManager } from '@mikro-orm/postgresql';

import { mapRows } from '../../database/map-rows.ts';
import type { Database } from '../../database/orm.ts';
import { ErasureEventEntity, type ErasureEventRow } from '../erasure-entities.ts';
import { lookUp } from './look-up.ts';

/** The erasures of the tenant that have one of these ids, in any order. */
export async function findErasures(
  em: EntityManager,
  tenant: string,
  ids: readonly string[],
): Promise<ErasureEventRow[]> {
  if (ids.length === 0) return [];
  const rows = await em.execute<object[]>(
    `SELECT erasure_event.* FROM ${lookUp('erasure_event', 'id', 'uuid')}`,
    { tenant, values: ids },
    { loggerContext: em.getLoggerContext() },
  );
  return mapRows(em, ErasureEventEntity, rows);
}

const PERIOD_MS = 60 * 60_000;

/**
 * Now and every hour, removes the ids of persons from events that are 30 days old: consumers have had the month that
 * the law gives them. Over `database`, which sees every tenant. While PostgreSQL is away, nothing happens until the next
 * hour. Returns what ends it.
 */
export function keepForgetting(database: Database): () => void {
  const forget = (): void => void forgetErased(database).catch(() => undefined);
  // A process may not live for an hour.
  forget();
  const timer = setInterval(forget, PERIOD_MS);
  timer.unref();
  return () => clearInterval(timer);
}

/** Does it once. Resolves to the number of events that it has changed. */
export async function forgetErased({ pool }: Database): Promise<number> {
  const { rowCount } = await pool.query(
    `UPDATE erasure_event SET user_profile = NULL
     WHERE user_profile IS NOT NULL AND create_time < clock_timestamp() - interval '30 days'`,
  );
  return rowCount ?? 0;
}
