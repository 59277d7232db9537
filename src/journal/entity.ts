/** The tables of the journal. The migrations make them; a test compares the two. */

import { defineEntity, p } from '@mikro-orm/core';

import { appendOnly, text } from '../database/entity-parts.ts';

/**
 * The numbered journal of each tenant, in commit order. One row per group of charges that was committed
 * together: the last charge of the array has the number `lastSequence`, the one before it one less, and
 * so on. Append-only.
 */
const Journal = defineEntity({
  name: 'Journal',
  tableName: 'journal',
  properties: {
    tenant: text().primary(),
    lastSequence: p.bigint().primary(),
    chargeIds: p.array().columnType('uuid[]'),
  },
  triggers: [appendOnly('journal')],
});

/** The last number of each tenant's journal. Every write locks the row late, so that it holds it shortly. */
export const JournalHead = defineEntity({
  name: 'JournalHead',
  tableName: 'journal_head',
  properties: {
    tenant: text().primary(),
    lastSequence: p.bigint(),
  },
});

export const journalEntities = [Journal, JournalHead];
