/** What stays of charges that were archived. The migrations make the tables; a test compares the two. */

import { defineEntity, type InferEntity, p } from '@mikro-orm/core';

import { appendOnly, text } from '../database/entity-parts.ts';
import { hex } from '../database/types/hex.ts';
import { micros } from '../database/types/micros.ts';

/** An archived charge: what keeps a repeated request from making a second one. The columns are those of the charge. */
export const ArchivedChargeEntity = defineEntity({
  name: 'ArchivedCharge',
  tableName: 'archived_charge',
  properties: {
    tenant: text().primary(),
    requestKey: p.uuid().primary(),
    id: p.uuid(),
    contentHash: hex(),
  },
  triggers: [appendOnly('archived_charge')],
  uniques: [{ name: 'archived_charge_id_key', properties: ['tenant', 'id'] }],
});

/** How far a tenant has archived. No row: it has archived nothing. */
const ArchiveEntity = defineEntity({
  name: 'Archive',
  tableName: 'archive',
  properties: {
    tenant: text().primary(),
    /** Every archived charge has an earlier usage time. */
    endTimeMicros: micros().fieldName('end_time'),
    /** The last number of the journal that can no longer be read. */
    sequence: p.bigint(),
  },
});

export const archiveEntities = [ArchivedChargeEntity, ArchiveEntity];

export type ArchivedChargeRow = InferEntity<typeof ArchivedChargeEntity>;
