/** Finds the charges that a reprice has to look at, a bounded number of rows at a time. */

import type { EntityManager } from '@mikro-orm/postgresql';

import { microsFromTimestamptz, timestamptzFromMicros } from '../../database/types/micros.ts';
import type { ChargeFilter, ListPosition } from '../charge.ts';
import { timeOfChargeId } from '../charge-id.ts';

/**
 * Rows that one scan reads, and so the most charges that one transaction gives new costs, apart from charges of one
 * millisecond and usage time, which are not separated.
 */
const SCAN_ROWS = 500;

/** Where to scan, and for what. */
export interface ScanQuery {
  /** With both times. */
  readonly filter: ChargeFilter;
  readonly includePriced: boolean;
  readonly after: ListPosition | undefined;
}

/** A row of the scan. */
export interface ScannedCharge extends ListPosition {
  readonly matches: boolean;
}

/** The rows of a scan, by usage time and then id. */
export interface Scan {
  readonly charges: readonly ScannedCharge[];
  /** Whether nothing follows. */
  readonly isLast: boolean;
}

/**
 * Reads the next {@link SCAN_ROWS} charges of the time range, and says which of them match. A query that returns
 * matches only could read the whole range for one of them, and would then have no place to go on from.
 *
 * So the rows are chosen by one index, and everything else is asked of each row: which of two indexes has fewer rows
 * cannot be known beforehand. OFFSET 0 makes the correction a look-up for each row.
 */
export async function scanCharges(em: EntityManager, tenant: string, query: ScanQuery): Promise<Scan> {
  const { indexed, others } = conditionsOf(query);
  const { startTimeMicros, endTimeMicros } = query.filter;
  if (startTimeMicros === undefined || endTimeMicros === undefined) throw new TypeError('no time range');
  const times = [startTimeMicros, endTimeMicros].map(timestamptzFromMicros);
  const rows = await em.execute<{ id: string; usage_time: string; matches: boolean | null }[]>(
    `SELECT charge.id, charge.usage_time, ${sqlOf(others)} AS matches
     FROM (
       SELECT * FROM charge
       WHERE tenant = ? AND usage_time >= ?::timestamptz AND usage_time < ?::timestamptz AND ${sqlOf(indexed)}
       ORDER BY usage_time, create_time FETCH FIRST ${SCAN_ROWS} ROWS WITH TIES
     ) AS charge
     ORDER BY charge.usage_time, charge.id`,
    [...others.flatMap(({ values }) => values), tenant, ...times, ...indexed.flatMap(({ values }) => values)],
    { loggerContext: em.getLoggerContext() },
  );
  const charges = rows.map(({ id, usage_time, matches }) => ({
    id,
    usageTimeMicros: microsFromTimestamptz(usage_time),
    matches: matches === true,
  }));
  return { charges, isLast: charges.length < SCAN_ROWS };
}

interface Condition {
  readonly sql: string;
  readonly values: readonly unknown[];
}

const sqlOf = (conditions: readonly Condition[]): string =>
  conditions.map(({ sql }) => sql).join(' AND ') || 'true';

/** Columns with an index in the order of the scan. The first one that the filter names is used. */
const INDEXED = [
  ['importId', 'import_id'],
  ['reference', 'reference'],
  ['sessionKey', 'session_key'],
  ['userProfile', 'user_profile'],
] as const;
const NOT_INDEXED = [
  ['provider', 'provider'],
  ['chargeType', 'charge_type'],
  ['model', 'model'],
] as const;

function conditionsOf({ filter, includePriced, after }: ScanQuery): {
  indexed: Condition[];
  others: Condition[];
} {
  const [first, ...further] = equalities(filter, INDEXED);
  const others = [...further, ...equalities(filter, NOT_INDEXED), IS_ACTIVE];
  const labels = JSON.stringify(Object.fromEntries(filter.labels ?? []));
  if (filter.labels !== undefined) others.push({ sql: 'labels @> ?::jsonb', values: [labels] });
  if (!includePriced) others.push(IS_UNPRICED);
  const indexed = first === undefined ? [] : [first];
  if (after !== undefined) indexed.push(beyond(after));
  return { indexed, others };
}

function equalities(filter: ChargeFilter, columns: typeof INDEXED | typeof NOT_INDEXED): Condition[] {
  return columns.flatMap(([member, column]) => {
    const value = filter[member];
    return value === undefined ? [] : [{ sql: `${column} = ?`, values: [value] }];
  });
}

const IS_ACTIVE: Condition = {
  sql: `NOT EXISTS (SELECT FROM correction
    WHERE correction.tenant = charge.tenant AND correction.charge_id = charge.id OFFSET 0)`,
  values: [],
};

/** By its latest revision, or else as it was recorded. */
const IS_UNPRICED: Condition = {
  sql: `coalesce(
    (SELECT cost_nanos IS NULL FROM cost_revision AS r
     WHERE r.tenant = charge.tenant AND r.charge_id = charge.id ORDER BY revision DESC LIMIT 1),
    cost_nanos IS NULL)`,
  values: [],
};

/** After this place. The index ends with the time of creation, which is the first part of the id. */
function beyond({ usageTimeMicros, id }: ListPosition): Condition {
  const times = [usageTimeMicros, timeOfChargeId(id)].map(timestamptzFromMicros);
  return {
    sql: `(usage_time, create_time) >= (?::timestamptz, ?::timestamptz)
      AND ((usage_time, create_time) <> (?::timestamptz, ?::timestamptz) OR id > ?::uuid)`,
    values: [...times, ...times, id],
  };
}
