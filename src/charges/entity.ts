/**
 * The table of charges. The migrations make it; a test compares the two. The key starts with the tenant,
 * so that the table can be distributed by it.
 */

import { defineEntity, type InferEntity, p } from '@mikro-orm/core';

import { erasableAndArchivable, text } from '../database/entity-parts.ts';
import { hex } from '../database/types/hex.ts';
import { quantities, textMap } from '../database/types/json-map.ts';
import { micros } from '../database/types/micros.ts';
import { optionalSmallint, optionalText, optionalUuid } from '../database/types/optional.ts';
import type { Money } from '../prices/index.ts';
import { archiveEntities } from './archive-entities.ts';
import { erasureEntities } from './erasure-entities.ts';
import { costColumns } from './cost-columns.ts';
import { correctionEntities } from './correction-entities.ts';
import { type ChargeStatus, SERVICE_TIER_STANDARD, type TokenDetails as Details } from './charge.ts';

const TokenDetails = defineEntity({
  name: 'TokenDetails',
  embeddable: true,
  properties: {
    cacheReadTokens: p.bigint(),
    cacheWrite5mTokens: p.bigint().fieldName('cache_write_5m_tokens'),
    cacheWrite1hTokens: p.bigint().fieldName('cache_write_1h_tokens'),
    reasoningTokens: p.bigint(),
    audioInputTokens: p.bigint(),
    audioOutputTokens: p.bigint(),
    imageInputTokens: p.bigint(),
    imageOutputTokens: p.bigint(),
  },
});

const ReportedCost = defineEntity({
  name: 'ReportedCost',
  embeddable: true,
  properties: {
    nanos: p.bigint().fieldName('reported_cost_nanos'),
    currencyCode: text().fieldName('reported_cost_currency'),
  },
});

const tokenDetails = () => p.embedded(TokenDetails).prefix(false).$type<Details | undefined>();
const reportedCost = () => p.embedded(ReportedCost).prefix(false).$type<Money | undefined>();

/**
 * One row per charge; changed only when its user profile is erased, and removed only when it is archived. It has the
 * properties of the domain's `Charge`, so a loaded row is a charge, and those that only the store needs. The write
 * statement takes its columns and their types from here.
 */
export const ChargeEntity = defineEntity({
  name: 'Charge',
  tableName: 'charge',
  properties: {
    tenant: text().primary(),
    id: p.uuid().primary(),
    /** The request id as 16 bytes (`store/request-key.ts`), unique within the tenant. */
    requestKey: p.uuid(),
    /** The request id if its key is a hash of it. Empty: the request id is the text of the key. */
    hashedRequestId: optionalText().fieldName('request_id'),
    /** Half a SHA-256 of the canonical content (`canonical-content.ts`). */
    contentHash: hex(),
    userProfile: text(),
    sessionKey: optionalText(),
    provider: p.smallint(),
    otherProvider: optionalText(),
    chargeType: p.smallint(),
    promptTokens: p.bigint(),
    completionTokens: p.bigint(),
    totalTokens: p.bigint(),
    /** All eight parts are set or all are NULL. */
    tokenDetails: tokenDetails().nullable() as unknown as ReturnType<typeof tokenDetails>,
    model: optionalText(),
    reference: optionalText(),
    labels: textMap(),
    usageTimeMicros: micros().fieldName('usage_time'),
    /** The time in the id (`charge-id.ts`), so that it orders charges as their ids do. */
    createTimeMicros: micros().fieldName('create_time'),
    serviceTier: optionalSmallint(SERVICE_TIER_STANDARD),
    region: optionalText(),
    quantities: quantities(),
    reportedCost: reportedCost().nullable() as unknown as ReturnType<typeof reportedCost>,
    callOutcome: optionalSmallint(),
    ...costColumns(),
    /** The charge that this one replaces; empty: none. */
    amends: optionalUuid(),
    /** The import that recorded it; empty: none. */
    importId: optionalUuid(),
    /** W3C trace context of the call that made the charge; empty: it came without one. */
    traceparent: optionalText(),
  },
  triggers: [erasableAndArchivable('charge')],
  uniques: [{ name: 'charge_request_key', properties: ['tenant', 'requestKey'] }],
  indexes: [
    { name: 'charge_usage_time_idx', properties: ['tenant', 'usageTimeMicros', 'createTimeMicros'] },
    {
      name: 'charge_user_profile_idx',
      properties: ['tenant', 'userProfile', 'usageTimeMicros', 'createTimeMicros'],
    },
    {
      name: 'charge_session_key_idx',
      properties: ['tenant', 'sessionKey', 'usageTimeMicros', 'createTimeMicros'],
      where: 'session_key IS NOT NULL',
    },
    {
      name: 'charge_reference_idx',
      properties: ['tenant', 'reference', 'usageTimeMicros', 'createTimeMicros'],
      where: 'reference IS NOT NULL',
    },
    {
      name: 'charge_import_id_idx',
      properties: ['tenant', 'importId', 'usageTimeMicros', 'createTimeMicros'],
      where: 'import_id IS NOT NULL',
    },
  ],
});

export const chargeEntities = [
  ChargeEntity,
  TokenDetails,
  ReportedCost,
  ...correctionEntities,
  ...archiveEntities,
  ...erasureEntities,
];

/** A row of the table. Its cost is set when the group that it belongs to is written. */
export type ChargeRow = InferEntity<typeof ChargeEntity> & { status?: ChargeStatus };
