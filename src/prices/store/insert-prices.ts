/** The statements that add price versions. */

import type { Type } from '@mikro-orm/core';
import type { EntityManager } from '@mikro-orm/postgresql';
import type { ClientBase } from 'pg';

import { PriceEntity, type PriceRow } from '../entity.ts';
import type { Price } from '../price.ts';
import { priceRow } from './price-row.ts';

/** A new version and the request that makes it. */
export interface NewPrice {
  readonly requestId: string;
  readonly price: Price;
}

/** The rows are one JSON array, whose members PostgreSQL takes for columns by their names. */
const INSERT_PRICES = 'INSERT INTO price SELECT * FROM jsonb_populate_recordset(NULL::price, $1::jsonb)';

const UPDATE_HEAD =
  'UPDATE journal_head SET price_version = price_version + $2::int WHERE tenant = $1 RETURNING price_version';

/**
 * Inserts the versions and moves the tenant's last version, which every group of charges is compared with. The caller
 * holds the lock of the tenant, and the versions are numbered from the last one on.
 */
export async function insertPrices(
  em: EntityManager,
  client: ClientBase,
  tenant: string,
  prices: readonly NewPrice[],
): Promise<void> {
  const records = prices.map(({ requestId, price }) => recordOf(em, priceRow(tenant, requestId, price)));
  await client.query(INSERT_PRICES, [JSON.stringify(records)]);
  const { rows } = await client.query<{ price_version: number }>(UPDATE_HEAD, [tenant, prices.length]);
  const last = prices.at(-1)?.price.version;
  if (rows[0]?.price_version !== last) {
    throw new Error(`price version ${last} was added, and the journal's head says ${rows[0]?.price_version}`);
  }
}

/** A row by the names of its columns, with the values that MikroORM would send. */
function recordOf(em: EntityManager, row: PriceRow): Record<string, unknown> {
  const platform = em.getPlatform();
  const record: Record<string, unknown> = {};
  for (const { name, fieldNames, columnTypes, customType } of em.getMetadata().get(PriceEntity).props) {
    const value: unknown = row[name as keyof PriceRow];
    const type = customType as Type<unknown> | undefined;
    // MikroORM would make a text of the rates, which would become a text inside of the JSON.
    const plain = type === undefined || columnTypes[0] === 'jsonb';
    record[fieldNames[0] ?? ''] = plain ? value : type.convertToDatabaseValue(value, platform);
  }
  return record;
}
