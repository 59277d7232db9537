/** The tables of usage. The migrations make them; a test compares the two. */

import { defineEntity, p } from '@mikro-orm/core';

import { text } from '../database/entity-parts.ts';
import { micros } from '../database/types/micros.ts';

/** What a row of the table of sums is a sum over. Days are days of UTC. */
export const ROLLUP_LEVEL = {
  /** A quarter of an hour, of all user profiles. */
  quarterHour: 1,
  /** A day, of all user profiles. */
  day: 2,
  /** A day of one user profile. */
  userDay: 3,
} as const;

const sum = () => p.decimal('string').precision(38).scale(0);

/**
 * Sums of charges, made from the journal and always made again from it: nothing else is stored only here. A row has
 * either the sums of tokens and costs (`usageKind` 0), or the sum of one kind of quantity.
 */
const UsageRollup = defineEntity({
  name: 'UsageRollup',
  tableName: 'usage_rollup',
  properties: {
    tenant: text().primary(),
    /** One of {@link ROLLUP_LEVEL}. */
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
    /** The kind of `quantity`; 0: all other sums. */
    usageKind: p.smallint().primary(),
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
    quantity: sum(),
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
