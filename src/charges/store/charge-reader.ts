/** Reads single charges and pages of them. */

import type { InferEntity } from '@mikro-orm/core';
import type { EntityManager, SelectQueryBuilder } from '@mikro-orm/postgresql';

import type { ReadConnections } from '../../database/read-connections.ts';
import type { Prices } from '../../prices/index.ts';
import type { ChargeFilter } from '../charge.ts';
import { ChargeEntity, type ChargeRow } from '../entity.ts';
import type { ChargePage, ChargeReader, ListQuery } from '../ports.ts';
import { beyondPlace } from './beyond-place.ts';
import { CURRENT_COLUMNS, CURRENT_JOINS, IS_ACTIVE, mapCurrentCharges } from './current-charges.ts';
import { linesOf, readHistory } from './charge-history.ts';
import { requestIdOf } from './charge-row.ts';
import { readCharge } from './find-by-keys.ts';

/** The read side on connections that it does not own. */
export function createChargeReader(reads: ReadConnections, prices: Prices): ChargeReader {
  return {
    findById: (tenant, id, { timeoutMs } = {}) =>
      reads.use((em) => readCharge(em, tenant, { id }), timeoutMs),
    findByRequestId: (tenant, requestId, { timeoutMs } = {}) =>
      reads.use((em) => readCharge(em, tenant, { requestId }), timeoutMs),
    list: (tenant, query, { timeoutMs } = {}) => reads.use((em) => readPage(em, tenant, query), timeoutMs),
    history: (tenant, key, { timeoutMs } = {}) =>
      reads.use(async (em) => {
        const charge = await readCharge(em, tenant, key);
        return charge && readHistory(em, prices, charge);
      }, timeoutMs),
    // Every charge of this reader is a row of the table.
    requestIdOf: (charge) => requestIdOf(charge as ChargeRow),
    linesOf: (tenant, charge) => reads.use(() => linesOf(prices, tenant, charge, charge)),
  };
}

/**
 * A page in the order of usage time, then id. The indexes end with the time of creation, the first part
 * of the id. So the page is read in the order of the index, to the end of its last millisecond, and only
 * then sorted. If PostgreSQL is asked for the whole order at once, it likes to collect and sort all
 * matches: 80 ms instead of 0.1 for 50,000 charges of one user with one usage time. MikroORM has no
 * `WITH TIES`, so its query is put inside another one.
 */
async function readPage(em: EntityManager, tenant: string, query: ListQuery): Promise<ChargePage> {
  const { sql, params } = pageQuery(em, tenant, query).toQuery();
  const direction = query.order === 'newest_first' ? 'DESC' : 'ASC';
  const order = `usage_time ${direction}, charge.create_time ${direction}, charge.id ${direction}`;
  const rows = await em.execute<object[]>(
    `SELECT ${CURRENT_COLUMNS} FROM (
       SELECT * FROM (${sql} FETCH FIRST ? ROWS WITH TIES) AS charge ORDER BY ${order} LIMIT ?
     ) AS charge ${CURRENT_JOINS} ORDER BY ${order}`,
    // One more tells whether anything follows.
    [...params, query.limit + 1, query.limit + 1],
    { loggerContext: em.getLoggerContext() },
  );
  const charges = mapCurrentCharges(em, rows);
  const page = charges.slice(0, query.limit);
  return { charges: page, next: charges.length > page.length ? page.at(-1) : undefined };
}

function pageQuery(
  em: EntityManager,
  tenant: string,
  { filter, order, after, includeCorrected }: ListQuery,
): SelectQueryBuilder<InferEntity<typeof ChargeEntity>> {
  const builder = em
    .createQueryBuilder(ChargeEntity, 'charge')
    .select('*')
    .where({ tenant, ...equalities(filter), ...usageTimeRange(filter) });
  if (filter.labels !== undefined && filter.labels.size > 0) {
    builder.andWhere('labels @> ?::jsonb', [JSON.stringify(Object.fromEntries(filter.labels))]);
  }
  if (!includeCorrected) builder.andWhere(IS_ACTIVE);
  if (after !== undefined) {
    const { sql, values } = beyondPlace(after, order);
    builder.andWhere(sql, values);
  }
  const direction = order === 'newest_first' ? 'desc' : 'asc';
  return builder.orderBy({ usageTimeMicros: direction, createTimeMicros: direction });
}

function equalities(filter: ChargeFilter): Record<string, string | number> {
  const { userProfile, sessionKey, provider, chargeType, model, reference, importId } = filter;
  const members = { userProfile, sessionKey, provider, chargeType, model, reference, importId };
  return Object.fromEntries(
    Object.entries(members).flatMap(([member, value]) => (value ? [[member, value]] : [])),
  );
}

function usageTimeRange({ startTimeMicros, endTimeMicros }: ChargeFilter): object {
  if (startTimeMicros === undefined && endTimeMicros === undefined) return {};
  return {
    usageTimeMicros: {
      ...(startTimeMicros !== undefined && { $gte: startTimeMicros }),
      ...(endTimeMicros !== undefined && { $lt: endTimeMicros }),
    },
  };
}
