/** Reads single charges and pages of them. */

import type { EntityManager } from '@mikro-orm/postgresql';

import type { ReadConnections } from '../../database/read-connections.ts';
import type { Prices } from '../../prices/index.ts';
import type { Charge } from '../charge.ts';
import type { ChargeRow } from '../entity.ts';
import type { ChargePage, ChargeReader, ListQuery } from '../ports.ts';
import { indexRangeOf } from './charge-conditions.ts';
import { linesOf, readHistory } from './charge-history.ts';
import { requestIdOf } from './charge-row.ts';
import { readCharge } from './find-by-keys.ts';
import { readMillisecond, readScan } from './list-scan.ts';

/** Rows of its index that one page of a list reads at most. */
export const SCAN_ROWS_MAX = 20_000;

/**
 * Rows that the first scan of a page may read for each charge of the page: if only corrected charges can be in between,
 * and if a filter compares each row. With most filters that is enough.
 */
const FIRST_SCAN_FACTORS = { indexed: 4, compared: 20 };

/** The read side on connections that it does not own. */
export function createChargeReader(
  reads: ReadConnections,
  prices: Prices,
  { scanRowsMax = SCAN_ROWS_MAX } = {},
): ChargeReader {
  return {
    findById: (tenant, id, { timeoutMs } = {}) =>
      reads.use(tenant, (em) => readCharge(em, tenant, { id }), timeoutMs),
    findByRequestId: (tenant, requestId, { timeoutMs } = {}) =>
      reads.use(tenant, (em) => readCharge(em, tenant, { requestId }), timeoutMs),
    list: (tenant, query, { timeoutMs } = {}) =>
      reads.use(tenant, (em) => readPage(em, tenant, query, scanRowsMax), timeoutMs),
    history: (tenant, key, { timeoutMs } = {}) =>
      reads.use(
        tenant,
        async (em) => {
          const charge = await readCharge(em, tenant, key);
          return charge && readHistory(em, prices, charge);
        },
        timeoutMs,
      ),
    // Every charge of this reader is a row of the table.
    requestIdOf: (charge) => requestIdOf(charge as ChargeRow),
    linesOf: (tenant, charge) => reads.use(tenant, () => linesOf(prices, tenant, charge, charge)),
  };
}

/**
 * Scans until the page is full or `scanRowsMax` rows were read. Each scan looks up its end first, so the first one is
 * small: most pages are full after it.
 */
async function readPage(
  em: EntityManager,
  tenant: string,
  query: ListQuery,
  scanRowsMax: number,
): Promise<ChargePage> {
  const charges: Charge[] = [];
  let next = query.after;
  let isStuck = false;
  const rest = (): ListQuery => ({ ...query, after: next, limit: query.limit - charges.length });
  const { others } = indexRangeOf(tenant, query.filter, query.order, query.after);
  let rows = FIRST_SCAN_FACTORS[others.length === 0 ? 'indexed' : 'compared'] * query.limit;
  for (let left = scanRowsMax; left > 0;) {
    rows = Math.min(rows, left);
    left -= rows;
    const scan = await readScan(em, tenant, rest(), rows);
    charges.push(...scan.charges);
    isStuck = scan.next === next;
    next = scan.next;
    if (next === undefined || charges.length === query.limit) return { charges, next };
    // Twice as many as seem to be needed.
    const perCharge = rows / scan.charges.length;
    rows = 2 * Math.ceil(Math.max(rows, perCharge * (query.limit - charges.length)));
  }
  if (!isStuck || next === undefined) return { charges, next };
  // Not even the largest scan got beyond this place of the index.
  const scan = await readMillisecond(em, tenant, rest(), next);
  return { charges: [...charges, ...scan.charges], next: scan.next };
}
