/** The tables of usage. The migrations make them; a test compares the two. */

import { defineEntity, p } from '@mikro-orm/core';

import { text } from '../database/entity-parts.ts';
import { micros } from '../database/types/micros.ts';

/** NULL: 0. */
const sum = () => p.decimal('string').columnType('numeric').nullable();

/**
 * Sums of charges. They are made from the journal and the charges, and can be made again: nothing is stored only here.
 * The sums of quantities have a column for each kind of `charge.v1.UsageKind` from 20 on.
 */
const UsageRollup = defineEntity({
  name: 'UsageRollup',
  tableName: 'usage_rollup',
  properties: {
    tenant: text().primary(),
    /** What it is a sum over: one of `ROLLUP_LEVEL` (`plan.ts`). */
    level: p.smallint().primary(),
    startTimeMicros: micros().fieldName('start_time').primary(),
    /** Empty: all user profiles. */
    userProfile: text().primary(),
    model: text().primary(),
    provider: p.smallint().primary(),
    otherProvider: text().primary(),
    chargeType: p.smallint().primary(),
    serviceTier: p.smallint().primary(),
    region: text().primary(),
    callOutcome: p.smallint().primary(),
    /** Empty: the charges have no cost. */
    costCurrency: text().primary(),
    reportedCostCurrency: text().primary(),
    charges: p.bigint(),
    promptTokens: sum(),
    completionTokens: sum(),
    totalTokens: sum(),
    cacheReadTokens: sum(),
    cacheWrite5mTokens: sum().fieldName('cache_write_5m_tokens'),
    cacheWrite1hTokens: sum().fieldName('cache_write_1h_tokens'),
    reasoningTokens: sum(),
    audioInputTokens: sum(),
    audioOutputTokens: sum(),
    imageInputTokens: sum(),
    imageOutputTokens: sum(),
    costNanos: sum(),
    reportedCostNanos: sum(),
    searchQueries: sum(),
    inputImages: sum(),
    outputImages: sum(),
    inputMilliseconds: sum(),
    outputMilliseconds: sum(),
    inputCharacters: sum(),
    outputCharacters: sum(),
  },
});

/** Up to which number each tenant's journal is in the sums. It moves in the transaction that changes them. */
const UsageCursor = defineEntity({
  name: 'UsageCursor',
  tableName: 'usage_cursor',
  properties: {
    tenant: text().primary(),
    sequence: p.bigint(),
  },
});

export const usageEntities = [UsageRollup, UsageCursor];
