/** The tables of the relay. The migrations make them; a test compares the two. */

import { defineEntity, p } from '@mikro-orm/core';

import { text } from '../database/entity-parts.ts';
import { micros } from '../database/types/micros.ts';

/** How far each tenant's journal is published. Only the relay that holds the lease moves it. */
const RelayCursor = defineEntity({
  name: 'RelayCursor',
  tableName: 'relay_cursor',
  properties: {
    tenant: text().primary(),
    publishedSequence: p.bigint(),
  },
});

/** Which relay publishes. One row; only the clock of the database decides whether it has expired. */
const RelayLease = defineEntity({
  name: 'RelayLease',
  tableName: 'relay_lease',
  properties: {
    name: text().primary(),
    /** Grows whenever the holder changes. A holder with an older epoch can move no cursor. */
    epoch: p.bigint(),
    holder: p.uuid(),
    expireTime: micros(),
  },
});

/** Events that the broker will never accept. They are skipped, so that the others can be published. */
export const DeadLetter = defineEntity({
  name: 'DeadLetter',
  tableName: 'dead_letter',
  properties: {
    tenant: text().primary(),
    sequence: p.bigint().primary(),
    reason: text(),
    createTime: micros().defaultRaw('clock_timestamp()'),
  },
});

export const relayEntities = [RelayCursor, RelayLease, DeadLetter];
