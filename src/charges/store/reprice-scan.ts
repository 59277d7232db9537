/** Finds the charges that a reprice has to look at, a bounded number of rows at a time. */

import type { EntityManager } from '@mikro-orm/postgresql';

import { microsFromTimestamptz } from '../../database/types/micros.ts';
import type { ChargeFilter, ListPosition } from '../charge.ts';
import { allOf, type Condition, indexRangeOf } from './charge-conditions.ts';
import { IS_ACTIVE } from './current-charges.ts';

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
 */
export async function scanCharges(em: EntityManager, tenant: string, query: ScanQuery): Promise<Scan> {
  const { filter, includePriced, after } = query;
  const range = indexRangeOf(tenant, filter, 'oldest_first', after);
  const scan = allOf([range.fromStart, range.before(range.end), ...range.afterPlace]);
  const matching = allOf([...range.others, IS_ACTIVE, ...(includePriced ? [] : [IS_UNPRICED])]);
  const rows = await em.execute<{ id: string; usage_time: string; matches: boolean | null }[]>(
    `SELECT charge.id, charge.usage_time, ${matching.sql} AS matches
     FROM (
       SELECT * FROM charge WHERE ${scan.sql}
       ORDER BY ${range.order} FETCH FIRST ${SCAN_ROWS} ROWS WITH TIES
     ) AS charge
     ORDER BY charge.usage_time, charge.id`,
    [...matching.values, ...scan.values],
    { loggerContext: em.getLoggerContext() },
  );
  const charges = rows.map(({ id, usage_time, matches }) => ({
    id,
    usageTimeMicros: microsFromTimestamptz(usage_time),
    matches: matches === true,
  }));
  return { charges, isLast: charges.length < SCAN_ROWS };
}

/** By its latest revision, or else as it was recorded. */
const IS_UNPRICED: Condition = {
  sql: `coalesce(
    (SELECT cost_nanos IS NULL FROM cost_revision AS r
     WHERE r.tenant = charge.tenant AND r.charge_id = charge.id ORDER BY revision DESC LIMIT 1),
    cost_nanos IS NULL)`,
  values: [],
};
