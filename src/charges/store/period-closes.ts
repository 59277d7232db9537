/** Closed periods. */

import type { EntityManager } from '@mikro-orm/postgresql';

import { mapRows } from '../../database/map-rows.ts';
import { timestamptzFromMicros } from '../../database/types/micros.ts';
import type { PeriodClose } from '../archive.ts';
import type { ClosedPeriod } from '../charge.ts';
import { PeriodCloseEntity } from '../correction-entities.ts';

/** The period that was closed last; undefined: none was. */
export async function lastClosedPeriod(em: EntityManager, tenant: string): Promise<ClosedPeriod | undefined> {
  const rows = await em.execute<object[]>(
    'SELECT * FROM period_close WHERE tenant = :tenant ORDER BY end_time DESC LIMIT 1',
    { tenant },
    { loggerContext: em.getLoggerContext() },
  );
  return mapRows(em, PeriodCloseEntity, rows)[0];
}

/** The period that was closed with this end; undefined: none was. */
export async function closedPeriodEndingAt(
  em: EntityManager,
  tenant: string,
  endTimeMicros: bigint,
): Promise<ClosedPeriod | undefined> {
  const rows = await em.execute<object[]>(
    'SELECT * FROM period_close WHERE tenant = :tenant AND end_time = :endTime::timestamptz',
    { tenant, endTime: timestamptzFromMicros(endTimeMicros) },
    { loggerContext: em.getLoggerContext() },
  );
  return mapRows(em, PeriodCloseEntity, rows)[0];
}

/** The first closed period that ends at this time or later; undefined: none does. */
export async function closedPeriodFrom(
  em: EntityManager,
  tenant: string,
  endTimeMicros: bigint,
): Promise<PeriodClose | undefined> {
  const rows = await em.execute<object[]>(
    `SELECT * FROM period_close WHERE tenant = :tenant AND end_time >= :endTime::timestamptz
     ORDER BY end_time LIMIT 1`,
    { tenant, endTime: timestamptzFromMicros(endTimeMicros) },
    { loggerContext: em.getLoggerContext() },
  );
  return mapRows(em, PeriodCloseEntity, rows)[0];
}

/** Closes a period at the end of the journal, and returns it. */
export async function insertPeriodClose(
  em: EntityManager,
  tenant: string,
  endTimeMicros: bigint,
): Promise<ClosedPeriod> {
  const [row] = await em.execute<{ sequence: string }[]>(
    `INSERT INTO period_close (tenant, end_time, create_time, sequence)
     SELECT tenant, :endTime::timestamptz, now(), last_sequence FROM journal_head WHERE tenant = :tenant
     RETURNING sequence`,
    { tenant, endTime: timestamptzFromMicros(endTimeMicros) },
    { loggerContext: em.getLoggerContext() },
  );
  if (row === undefined) throw new Error(`the tenant ${tenant} has no row in journal_head`);
  return { endTimeMicros, sequence: BigInt(row.sequence) };
}
