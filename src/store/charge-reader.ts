/** Reads single charges and pages, through MikroORM's query builder. */

import type { InferEntity } from '@mikro-orm/core';
import type { EntityManager, SelectQueryBuilder } from '@mikro-orm/postgresql';

import type { Charge, ChargeFilter } from '../domain/charge.ts';
import type { ChargeReader, ListQuery, ReadOptions } from '../domain/ports.ts';
import { type ChargeRow, fromChargeRow } from './charge-row.ts';
import { ChargeEntity } from './entities.ts';
import type { Database } from './orm.ts';
import { asServiceError } from './read-errors.ts';
import { requestKey, uuidText } from './request-key.ts';
import { timestamptzFromMicros } from './timestamp.ts';

type ChargeQuery = SelectQueryBuilder<InferEntity<typeof ChargeEntity>>;

/** Opens the read side on a database that it does not own. */
export function createChargeReader(database: Database, retryAfterMs: number): ChargeReader {
  const read = async (
    build: (em: EntityManager) => ChargeQuery,
    options?: ReadOptions,
  ): Promise<Charge[]> => {
    try {
      const rows = await executeWithin(database.orm.em.fork(), build, options?.timeoutMs);
      return rows.map(fromChargeRow);
    } catch (error) {
      throw asServiceError(error, retryAfterMs);
    }
  };
  const byKey = (tenant: string, key: object) => (em: EntityManager) =>
    em
      .createQueryBuilder(ChargeEntity)
      .select('*')
      .where({ tenant, ...key })
      .limit(1);

  return {
    // Point look-ups save the three round trips of a transaction: the connection's own limit bounds them.
    findById: async (tenant, id) => (await read(byKey(tenant, { id })))[0],
    findByRequestId: async (tenant, requestId) =>
      (await read(byKey(tenant, { requestKey: uuidText(requestKey(requestId)) })))[0],
    list: (tenant, query, options) => read((em) => pageQuery(em, tenant, query), options),
  };
}

async function executeWithin(
  em: EntityManager,
  build: (em: EntityManager) => ChargeQuery,
  timeoutMs: number | undefined,
): Promise<ChargeRow[]> {
  if (!timeoutMs) return build(em).execute('all', false) as unknown as Promise<ChargeRow[]>;
  return em.transactional(async (transaction) => {
    await transaction.execute(`SELECT set_config('statement_timeout', ?, true)`, [
      String(Math.max(1, Math.trunc(timeoutMs))),
    ]);
    return build(transaction).execute('all', false) as unknown as Promise<ChargeRow[]>;
  });
}

function pageQuery(em: EntityManager, tenant: string, query: ListQuery): ChargeQuery {
  const { filter, order, limit, after } = query;
  const builder = em
    .createQueryBuilder(ChargeEntity)
    .select('*')
    .where({ tenant, ...equalities(filter), ...usageTimeRange(filter) });
  if (filter.labels !== undefined && filter.labels.size > 0) {
    builder.andWhere('labels @> ?::jsonb', [JSON.stringify(Object.fromEntries(filter.labels))]);
  }
  if (after !== undefined) {
    const comparison = order === 'newest_first' ? '<' : '>';
    const place = [timestamptzFromMicros(after.usageTimeMicros), after.id];
    builder.andWhere(`(usage_time, id) ${comparison} (?::timestamptz, ?::uuid)`, place);
  }
  const direction = order === 'newest_first' ? 'desc' : 'asc';
  return builder.orderBy({ usageTime: direction, id: direction }).limit(limit);
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
