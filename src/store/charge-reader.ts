/** Reads single charges and pages, through MikroORM's query builder. */

import type { InferEntity } from '@mikro-orm/core';
import type { EntityManager, SelectQueryBuilder } from '@mikro-orm/postgresql';

import type { Charge, ChargeFilter } from '../domain/charge.ts';
import type { ChargeReader, ListQuery, ReadOptions } from '../domain/ports.ts';
import { type ChargeRow, fromChargeRow } from './charge-row.ts';
import { timeOfChargeId } from './charge-id.ts';
import { ChargeEntity } from './entities.ts';
import type { Database } from './orm.ts';
import { asServiceError } from './read-errors.ts';
import { requestKey } from './request-key.ts';
import { timestamptzFromMicros } from './timestamp.ts';

type Read = (em: EntityManager) => Promise<ChargeRow[]>;

/** Opens the read side on a database that it does not own. */
export function createChargeReader(database: Database, retryAfterMs: number): ChargeReader {
  const read = async (run: Read, options?: ReadOptions): Promise<Charge[]> => {
    try {
      const rows = await runWithin(database.orm.em.fork(), run, options?.timeoutMs);
      return rows.map(fromChargeRow);
    } catch (error) {
      throw asServiceError(error, retryAfterMs);
    }
  };
  const byKey =
    (tenant: string, key: object): Read =>
    (em) =>
      em
        .createQueryBuilder(ChargeEntity)
        .select('*')
        .where({ tenant, ...key })
        .limit(1)
        .execute('all', false) as unknown as Promise<ChargeRow[]>;

  return {
    // Point look-ups save the three round trips of a transaction: the connection's own limit bounds them.
    findById: async (tenant, id) => (await read(byKey(tenant, { id })))[0],
    findByRequestId: async (tenant, requestId) =>
      (await read(byKey(tenant, { requestKey: requestKey(requestId) })))[0],
    list: (tenant, query, options) => read((em) => readPage(em, tenant, query), options),
  };
}

async function runWithin(em: EntityManager, run: Read, timeoutMs: number | undefined): Promise<ChargeRow[]> {
  if (!timeoutMs) return run(em);
  return em.transactional(async (transaction) => {
    await transaction.execute(`SELECT set_config('statement_timeout', ?, true)`, [
      String(Math.max(1, Math.trunc(timeoutMs))),
    ]);
    return run(transaction);
  });
}

/**
 * A page in the order of usage time, then id. The indexes end with the time of creation, the first
 * part of the id: so the page is read in their order, to the end of its last millisecond, and only
 * then sorted. Asked for the whole order at once, the planner likes to collect and sort all matches:
 * 80 ms instead of 0.1 for 50,000 charges of one user with one usage time.
 */
async function readPage(em: EntityManager, tenant: string, query: ListQuery): Promise<ChargeRow[]> {
  const { sql, params } = pageQuery(em, tenant, query).toQuery();
  const direction = query.order === 'newest_first' ? 'DESC' : 'ASC';
  return em.execute<ChargeRow[]>(
    `SELECT * FROM (${sql} FETCH FIRST (?) ROWS WITH TIES) AS page
     ORDER BY usage_time ${direction}, create_time ${direction}, id ${direction} LIMIT ?`,
    [...params, query.limit, query.limit],
  );
}

function pageQuery(
  em: EntityManager,
  tenant: string,
  { filter, order, after }: ListQuery,
): SelectQueryBuilder<InferEntity<typeof ChargeEntity>> {
  const builder = em
    .createQueryBuilder(ChargeEntity)
    .select('*')
    .where({ tenant, ...equalities(filter), ...usageTimeRange(filter) });
  if (filter.labels !== undefined && filter.labels.size > 0) {
    builder.andWhere('labels @> ?::jsonb', [JSON.stringify(Object.fromEntries(filter.labels))]);
  }
  if (after !== undefined) {
    const createTimeMicros = timeOfChargeId(after.id);
    const times = [after.usageTimeMicros, createTimeMicros].map(timestamptzFromMicros);
    const beyond = order === 'newest_first' ? '<' : '>';
    // As one strict comparison, id included, the planner would expect nothing behind a place in the
    // middle of equal usage times, and pick an index that is not in the order of the list.
    builder.andWhere(
      `(usage_time, create_time) ${beyond}= (?::timestamptz, ?::timestamptz)
       AND ((usage_time, create_time) <> (?::timestamptz, ?::timestamptz) OR id ${beyond} ?::uuid)`,
      [...times, ...times, after.id],
    );
  }
  const direction = order === 'newest_first' ? 'desc' : 'asc';
  return builder.orderBy({ usageTime: direction, createTime: direction });
}

function equalities(filter: ChargeFilter): Record<string, string | number> {
  const { userProfile, sessionKey, provider, chargeType, model, reference } = filter;
  const members = { userProfile, sessionKey, provider, chargeType, model, reference };
  return Object.fromEntries(
    Object.entries(members).flatMap(([member, value]) => (value ? [[member, value]] : [])),
  );
}

function usageTimeRange({ startTimeMicros, endTimeMicros }: ChargeFilter): object {
  if (startTimeMicros === undefined && endTimeMicros === undefined) return {};
  return {
    usageTime: {
      ...(startTimeMicros !== undefined && { $gte: startTimeMicros }),
      ...(endTimeMicros !== undefined && { $lt: endTimeMicros }),
    },
  };
}
