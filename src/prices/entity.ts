/** The table of price versions. The migrations make it; a test compares the two. */

import { defineEntity, type InferEntity, p } from '@mikro-orm/core';

import { appendOnly, text } from '../database/entity-parts.ts';
import { micros } from '../database/types/micros.ts';
import { optionalText } from '../database/types/optional.ts';

/** One row per version; never updated, never deleted. */
export const PriceEntity = defineEntity({
  name: 'Price',
  tableName: 'price',
  properties: {
    tenant: text().primary(),
    /** 1, 2, 3 … for each tenant, without a gap. */
    version: p.integer().primary(),
    provider: p.smallint(),
    otherProvider: optionalText(),
    chargeType: p.smallint(),
    model: optionalText(),
    /** A number of `charge.v1.ModelMatch`. */
    modelMatch: p.smallint(),
    /** A number of `charge.v1.ServiceTier`. */
    serviceTier: p.smallint(),
    region: optionalText(),
    effectiveTimeMicros: micros().fieldName('effective_time'),
    /** 1 rate card, 2 alias, 3 reported, 4 withdrawn. */
    basis: p.smallint(),
    currencyCode: optionalText(),
    /** The model whose price applies, for an alias. */
    aliasModel: optionalText(),
    /** Nanos per million by kind, as texts: `{"rates": {"1": "2500000000"}, "tiers": [{"above": "200000", "rates": {}}]}`. */
    rates: p.json<unknown>().nullable(),
    source: optionalText(),
    note: optionalText(),
    requestId: text(),
    createTimeMicros: micros().fieldName('create_time'),
  },
  triggers: [appendOnly('price')],
  uniques: [{ name: 'price_request_id_key', properties: ['tenant', 'requestId'] }],
});

export const priceEntities = [PriceEntity];

/** A row of the table. */
export type PriceRow = InferEntity<typeof PriceEntity>;
