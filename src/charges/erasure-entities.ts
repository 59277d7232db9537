/** What is recorded about the erasure of persons. The migrations make the tables; a test compares the two. */

import { defineEntity, type InferEntity, p } from '@mikro-orm/core';

import { text } from '../database/entity-parts.ts';
import { micros } from '../database/types/micros.ts';
import { optionalText } from '../database/types/optional.ts';

/** That a person was erased: what the event of the journal says. */
export const ErasureEventEntity = defineEntity({
  name: 'ErasureEvent',
  tableName: 'erasure_event',
  properties: {
    tenant: text().primary(),
    /** UUIDv7; also the id of the event. */
    id: p.uuid().primary(),
    /** The event's number in the journal. */
    sequence: p.bigint(),
    createTimeMicros: micros().fieldName('create_time'),
    pseudonym: text(),
    /** Charges that were changed. */
    charges: p.bigint(),
    /** The id that was erased, until it is forgotten (`store/forget-erased.ts`); then empty. */
    userProfile: optionalText(),
  },
  indexes: [
    {
      name: 'erasure_event_create_time_idx',
      properties: ['createTimeMicros'],
      where: 'user_profile IS NOT NULL',
    },
  ],
});

/**
 * The pseudonym of each person that was erased, by a keyed hash of the id. Only `erase_user_profile` reads and writes
 * it, as the owner of the tables: the service itself may not, so that who gets hold of its session cannot test guesses.
 */
const ErasureEntity = defineEntity({
  name: 'Erasure',
  tableName: 'erasure',
  properties: {
    tenant: text().primary(),
    idHash: p.blob().primary(),
    pseudonym: text(),
    /** Charges that were erased since the last event; NULL: nothing. */
    charges: p.bigint().nullable(),
  },
  uniques: [{ name: 'erasure_pseudonym_key', properties: ['tenant', 'pseudonym'] }],
});

/** The random key of each tenant's hashes. Nobody but `erase_user_profile` reads it, either. */
const ErasureKeyEntity = defineEntity({
  name: 'ErasureKey',
  tableName: 'erasure_key',
  properties: {
    tenant: text().primary(),
    key: p.blob(),
  },
});

export const erasureEntities = [ErasureEventEntity, ErasureEntity, ErasureKeyEntity];

export type ErasureEventRow = InferEntity<typeof ErasureEventEntity>;
