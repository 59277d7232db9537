/** The tables of the journal. The migrations make them; a test compares the two. */

import { defineEntity, p } from '@mikro-orm/core';

import { appendOnly, text } from '../database/entity-parts.ts';

/** What the events of an entry are about, and whose ids `eventIds` are. */
export const JOURNAL_KIND = {
  /** Charges were recorded; ids of charges. */
  created: 1,
  /** Charges were voided; ids of corrections. */
  voided: 2,
  /** Charges were amended; ids of corrections. */
  amended: 3,
  /** Charges have another cost; ids of cost revisions. */
  repriced: 4,
  /** Persons were erased; ids of erasures. */
  erased: 5,
} as const;

/** One of {@link JOURNAL_KIND}. */
export type JournalKind = (typeof JOURNAL_KIND)[keyof typeof JOURNAL_KIND];

/**
 * The numbered journal of each tenant, in commit order. One row per group of events that was committed
 * together: the last event of the array has the number `lastSequence`, the one before it one less, and
 * so on. Append-only.
 */
const Journal = defineEntity({
  name: 'Journal',
  tableName: 'journal',
  properties: {
    tenant: text().primary(),
    lastSequence: p.bigint().primary(),
    kind: p.smallint(),
    eventIds: p.array().columnType('uuid[]'),
  },
  triggers: [appendOnly('journal')],
});

/**
 * The last number of each tenant's journal and of its price versions, and what else a write has to know for certain.
 * Every write locks the row late, so that it holds it shortly.
 */
export const JournalHead = defineEntity({
  name: 'JournalHead',
  tableName: 'journal_head',
  properties: {
    tenant: text().primary(),
    lastSequence: p.bigint(),
    priceVersion: p.integer().default(0),
    /** How often user profiles were disabled or removed. */
    userProfileVersion: p.integer().default(0),
    /** Whether charges of the tenant were archived. */
    hasArchive: p.boolean().default(false),
    /** The last number that a repair has given to an event of an old charge (`append-events.ts`). */
    repairedSequence: p.bigint().defaultRaw('0'),
  },
});

/**
 * One row per tenant. A transaction that adds price versions, corrects charges, gives them new costs, closes a period,
 * or disables or erases a user profile locks it first, so these happen one after the other. New charges do not wait for
 * it.
 */
export const TenantLock = defineEntity({
  name: 'TenantLock',
  tableName: 'tenant_lock',
  properties: {
    tenant: text().primary(),
  },
});

export const journalEntities = [Journal, JournalHead, TenantLock];
