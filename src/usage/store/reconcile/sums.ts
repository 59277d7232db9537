/** Compares the kept sums with the charges, day by day, and makes the days again that differ. */

import type { EntityManager } from '@mikro-orm/postgresql';

import { microsFromTimestamptz, timestamptzFromMicros } from '../../../database/types/micros.ts';
import { ROLLUP_LEVEL } from '../../plan.ts';
import {
  type CheckRun,
  CHECK,
  FINDING,
  type Finding,
  type NumberRange,
  type ReconcileOptions,
} from '../../reconcile.ts';
import { DAY_MICROS, floorTo } from '../../windows.ts';
import { archivedOf } from './archived.ts';
import type { ReconcileSession } from './session.ts';
import { checkSumCursor } from './sum-cursor.ts';
import { COMPARE_DAY, DELETE_DAY, type DifferenceRow, INSERT_DAY } from './sum-statements.ts';

type Range = Pick<ReconcileOptions, 'startMicros' | 'endMicros'>;

/** Compares every day of the range that has charges or sums. */
export async function reconcileSums(session: ReconcileSession, run: CheckRun, range: Range): Promise<void> {
  await checkSumCursor(session, run);
  const { endTimeMicros } = await archivedOf(session.em, run.tenant);
  const levels = await levelsOf(session, run.tenant);
  const { startMicros, endMicros = LAST_MICROS } = range;
  // Of a day that is archived in part, no sum can be compared.
  const start = [startMicros, endTimeMicros && endTimeMicros + DAY_MICROS - 1n].reduce(later, FIRST_MICROS);
  let day = await nextDay(session, run.tenant, levels, start ?? FIRST_MICROS);
  const firstDay = day;
  const lastDay = await lastDayOf(session, run.tenant, levels);
  const total = firstDay === undefined ? 0n : daysBetween(firstDay, min(lastDay, endMicros - 1n)) + 1n;
  let [days, charges] = [0n, 0n];
  let dayMicros: NumberRange | undefined;
  while (day !== undefined && day < endMicros && !run.signal.aborted) {
    await run.progress(CHECK.sums, daysBetween(firstDay, day), total);
    charges += await reconcileDay(session, run, levels, day);
    days++;
    dayMicros = { first: dayMicros?.first ?? day, last: day };
    day = await nextDay(session, run.tenant, levels, day + DAY_MICROS);
  }
  await run.progress(CHECK.sums, total, total);
  run.compared({ check: CHECK.sums, days, charges, dayMicros });
}

/** Usage times are of the years 1 to 9999. */
const FIRST_MICROS = -62_135_596_800_000_000n;
const LAST_MICROS = 253_402_300_800_000_000n;

/** Resolves to the charges that count on that day. */
async function reconcileDay(
  session: ReconcileSession,
  run: CheckRun,
  levels: readonly number[],
  dayMicros: bigint,
): Promise<bigint> {
  const parameters: DayParameters = {
    tenant: run.tenant,
    levels,
    start: timestamptzFromMicros(dayMicros),
    end: timestamptzFromMicros(dayMicros + DAY_MICROS),
  };
  const all = await session.read<DifferenceRow>(COMPARE_DAY, { ...parameters });
  const charges = BigInt(all.find(({ level }) => level === null)?.expected ?? 0);
  const rows = all.filter(({ level }) => level !== null);
  // Charges of the day may have been archived since the run began: then they are missing on purpose.
  if (rows.length === 0 || (await isArchived(session.em, parameters))) return charges;
  const repaired = run.repair && (await makeAgain(session, parameters));
  for (const row of rows) await run.finding({ ...toFinding(row, dayMicros), repaired });
  return charges;
}

/**
 * The lock of the cursor keeps the follower away: it may not add events to rows that are being made. It also keeps
 * archives away, which remove what the sums are made from. The statements take their snapshots after the lock. Resolves
 * to whether the day was made again: not if it was archived before.
 */
function makeAgain(session: ReconcileSession, parameters: DayParameters): Promise<boolean> {
  return session.repair('sums', async ({ em }) => {
    const options = { loggerContext: em.getLoggerContext() };
    await em.execute(LOCK_CURSOR, { ...parameters }, options);
    if (await isArchived(em, parameters)) return undefined;
    await em.execute(DELETE_DAY, { ...parameters }, options);
    await em.execute(INSERT_DAY, { ...parameters }, options);
    return { day: parameters.start.slice(0, '2026-09-02'.length) };
  });
}

interface DayParameters {
  readonly tenant: string;
  readonly levels: readonly number[];
  readonly start: string;
  readonly end: string;
}

async function isArchived(em: EntityManager, parameters: DayParameters): Promise<boolean> {
  const rows = await em.execute<object[]>(
    'SELECT FROM archive WHERE tenant = :tenant AND end_time > :start::timestamptz',
    { ...parameters },
    { loggerContext: em.getLoggerContext() },
  );
  return rows.length > 0;
}

const LOCK_CURSOR = 'SELECT FROM usage_cursor WHERE tenant = :tenant FOR UPDATE';

function toFinding(row: DifferenceRow, dayMicros: bigint): Finding {
  const {
    level,
    name,
    currency: currencyCode,
    rows,
    user_profile: userProfile,
    model,
    expected,
    found,
  } = row;
  const sum = { level: level ?? 0, name, currencyCode, rows: BigInt(rows), userProfile, model };
  return { kind: FINDING.sumDiffers, dayMicros, sum, expected, found };
}

/** The levels that the table has, and those that it should have: each is a range of the key. */
async function levelsOf(session: ReconcileSession, tenant: string): Promise<number[]> {
  const rows = await session.read<{ level: number }>(
    `WITH RECURSIVE known AS (
       SELECT min(level) AS level FROM usage_rollup WHERE tenant = :tenant
       UNION ALL
       SELECT (SELECT min(level) FROM usage_rollup WHERE tenant = :tenant AND level > known.level)
       FROM known WHERE known.level IS NOT NULL
     )
     SELECT level FROM known WHERE level IS NOT NULL`,
    { tenant },
  );
  return [...new Set([...Object.values(ROLLUP_LEVEL), ...rows.map(({ level }) => level)])];
}

/** The first day from this moment on that has charges or sums; the day of the moment itself counts. */
async function nextDay(
  session: ReconcileSession,
  tenant: string,
  levels: readonly number[],
  fromMicros: bigint,
): Promise<bigint | undefined> {
  const start = timestamptzFromMicros(floorTo(fromMicros, DAY_MICROS));
  return oneDay(session, tenant, levels, 'min', start);
}

async function lastDayOf(
  session: ReconcileSession,
  tenant: string,
  levels: readonly number[],
): Promise<bigint> {
  return (await oneDay(session, tenant, levels, 'max', timestamptzFromMicros(FIRST_MICROS))) ?? FIRST_MICROS;
}

async function oneDay(
  session: ReconcileSession,
  tenant: string,
  levels: readonly number[],
  end: 'min' | 'max',
  start: string,
): Promise<bigint | undefined> {
  const [row] = await session.read<{ time: string | null }>(
    `SELECT ${end}(time) AS time FROM (
       SELECT (SELECT ${end}(usage_time) FROM charge WHERE tenant = :tenant AND usage_time >= :start::timestamptz) AS time
       UNION ALL
       SELECT (SELECT ${end}(start_time) FROM usage_rollup
         WHERE tenant = :tenant AND usage_rollup.level = known.level AND start_time >= :start::timestamptz
           AND start_time < '10000-01-01 00:00+00')
       FROM unnest(:levels::smallint[]) AS known (level)
     ) AS found`,
    { tenant, levels, start },
  );
  return row?.time ? floorTo(microsFromTimestamptz(row.time), DAY_MICROS) : undefined;
}

function later(a: bigint | undefined, b: bigint | undefined): bigint | undefined {
  return a === undefined || (b !== undefined && b > a) ? b : a;
}

function min(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}

function daysBetween(from: bigint | undefined, to: bigint): bigint {
  return from === undefined || to < from ? 0n : (to - from) / DAY_MICROS;
}
