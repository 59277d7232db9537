/**
 * The tables, as MikroORM knows them. Migrations make them; a test holds the two against each other.
 * Every key starts with the tenant, so that the tables can be distributed by it.
 */

import { defineEntity, p, type TriggerDef } from '@mikro-orm/core';

import { MicrosType } from './timestamptz.ts';

/**
 * Statement triggers cost an INSERT nothing and hold against every other program on the database.
 * TRUNCATE has a trigger of its own, known to the migration alone: the catalog view that MikroORM
 * compares with does not show it.
 */
function appendOnly(table: string): TriggerDef {
  return {
    name: 'append_only',
    timing: 'before',
    events: ['update', 'delete'],
    forEach: 'statement',
    body: `RAISE EXCEPTION '${table} is append-only' USING ERRCODE = 'insufficient_privilege'`,
  };
}

/** Texts compare by their bytes: see the migration. */
const text = () => p.text().collation('C');

/** One row per charge; never updated, never deleted. An empty text of the domain is NULL here. */
export const ChargeEntity = defineEntity({
  name: 'Charge',
  tableName: 'charge',
  properties: {
    tenant: text().primary(),
    id: p.uuid().primary(),
    /** The request id as 16 bytes (`request-key.ts`), unique within the tenant. */
    requestKey: p.uuid(),
    /** NULL where the key spells it out: the request id is the text of that UUID. */
    requestId: text().nullable(),
    /** Truncated SHA-256 of the canonical content (`domain/canonical-content.ts`): its 16 bytes, not a UUID. */
    contentHash: p.uuid(),
    userProfile: text(),
    sessionKey: text().nullable(),
    provider: p.smallint(),
    otherProvider: text().nullable(),
    chargeType: p.smallint(),
    promptTokens: p.bigint(),
    completionTokens: p.bigint(),
    totalTokens: p.bigint(),
    /** All six parts are set or all are NULL. */
    cacheReadTokens: p.bigint().nullable(),
    cacheWrite5mTokens: p.bigint().nullable().fieldName('cache_write_5m_tokens'),
    cacheWrite1hTokens: p.bigint().nullable().fieldName('cache_write_1h_tokens'),
    reasoningTokens: p.bigint().nullable(),
    audioInputTokens: p.bigint().nullable(),
    audioOutputTokens: p.bigint().nullable(),
    model: text().nullable(),
    reference: text().nullable(),
    labels: p.json<Record<string, string>>().nullable(),
    usageTime: p.type(MicrosType),
    /** The time in the id (`charge-id.ts`), so that it orders charges as their ids do. */
    createTime: p.type(MicrosType),
    /** W3C trace context of the call that made the charge; NULL: it came without one. */
    traceparent: text().nullable(),
  },
  triggers: [appendOnly('charge')],
  uniques: [{ name: 'charge_request_key', properties: ['tenant', 'requestKey'] }],
  indexes: [
    { name: 'charge_usage_time_idx', properties: ['tenant', 'usageTime', 'createTime'] },
    { name: 'charge_user_profile_idx', properties: ['tenant', 'userProfile', 'usageTime', 'createTime'] },
    {
      name: 'charge_session_key_idx',
      properties: ['tenant', 'sessionKey', 'usageTime', 'createTime'],
      where: 'session_key IS NOT NULL',
    },
    {
      name: 'charge_reference_idx',
      properties: ['tenant', 'reference', 'usageTime', 'createTime'],
      where: 'reference IS NOT NULL',
    },
  ],
});

/**
 * The numbered book of each tenant, in commit order: one row per group of charges. A row numbers its
 * charges, in the order of the array, so that the last one has `lastSequence`. Append-only.
 */
export const JournalEntity = defineEntity({
  name: 'Journal',
  tableName: 'journal',
  properties: {
    tenant: text().primary(),
    lastSequence: p.bigint().primary(),
    chargeIds: p.array().columnType('uuid[]'),
  },
  triggers: [appendOnly('journal')],
});

/** How far each tenant's book reaches. The row is locked last in every write, and shortly. */
export const BookEntity = defineEntity({
  name: 'Book',
  tableName: 'book',
  properties: {
    tenant: text().primary(),
    lastSequence: p.bigint(),
  },
});

/** How far each tenant's book is published. Moved only by the relay that holds the lease. */
export const RelayCursorEntity = defineEntity({
  name: 'RelayCursor',
  tableName: 'relay_cursor',
  properties: {
    tenant: text().primary(),
    publishedSequence: p.bigint(),
  },
});

/** Who publishes. One row; expiry is judged by the database's clock alone. */
export const RelayLeaseEntity = defineEntity({
  name: 'RelayLease',
  tableName: 'relay_lease',
  properties: {
    name: text().primary(),
    /** Grows with every change of hands; a holder with an older epoch can move no cursor. */
    epoch: p.bigint(),
    holder: p.uuid(),
    expireTime: p.type(MicrosType),
  },
});

/** Events that the broker will never take, set aside so that the rest can go on. */
export const RelayRejectEntity = defineEntity({
  name: 'RelayReject',
  tableName: 'relay_reject',
  properties: {
    tenant: text().primary(),
    sequence: p.bigint().primary(),
    reason: text(),
    createTime: p.type(MicrosType),
  },
});

/** All entities of the store. */
export const entities = [
  ChargeEntity,
  JournalEntity,
  BookEntity,
  RelayCursorEntity,
  RelayLeaseEntity,
  RelayRejectEntity,
];
