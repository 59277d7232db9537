/**
 * What is recorded about a charge after it was recorded. The migrations make the tables; a test compares the two. All
 * of them are append-only; only the costs of archived charges are removed.
 */

import { defineEntity, type InferEntity, p } from '@mikro-orm/core';

import { appendOnly, archivable, erasable, text } from '../database/entity-parts.ts';
import { micros } from '../database/types/micros.ts';
import { optionalText, optionalUuid } from '../database/types/optional.ts';
import { costColumns } from './cost-columns.ts';

/** That a charge was voided or amended: at most one per charge. It stays when the charge is archived. */
export const CorrectionEntity = defineEntity({
  name: 'Correction',
  tableName: 'correction',
  properties: {
    tenant: text().primary(),
    chargeId: p.uuid().primary(),
    /** UUIDv7; also the id of the event. */
    id: p.uuid(),
    /** The event's number in the journal. */
    sequence: p.bigint(),
    createTimeMicros: micros().fieldName('create_time'),
    /** A number of `charge.v1.ChargeState`: VOIDED or AMENDED. */
    state: p.smallint(),
    /** The charge that took the place of this one; empty: it was voided. */
    replacementId: optionalUuid(),
    /** Whether the usage time lay in a closed period. */
    closedPeriod: p.boolean(),
    reason: text(),
    /** Of VoidCharge. Empty for an amendment: its request id is that of the replacement. */
    requestId: optionalText(),
    traceparent: optionalText(),
  },
  triggers: [erasable('correction')],
  uniques: [
    { name: 'correction_id_key', properties: ['tenant', 'id'] },
    { name: 'correction_request_id_key', properties: ['tenant', 'requestId'] },
  ],
});

/** A cost that a charge got after it was recorded. The revision with the greatest number is the charge's cost. */
export const CostRevisionEntity = defineEntity({
  name: 'CostRevision',
  tableName: 'cost_revision',
  properties: {
    tenant: text().primary(),
    chargeId: p.uuid().primary(),
    /** 1, 2, 3 … for each charge. */
    revision: p.integer().primary(),
    /** UUIDv7; also the id of the event. */
    id: p.uuid(),
    /** The event's number in the journal. */
    sequence: p.bigint(),
    createTimeMicros: micros().fieldName('create_time'),
    /** The run that made it. */
    run: p.integer(),
    ...costColumns(),
  },
  triggers: [archivable('cost_revision')],
  uniques: [{ name: 'cost_revision_id_key', properties: ['tenant', 'id'] }],
});

/** A run of RepriceCharges: who asked for which charges, and why. */
const RepriceRunEntity = defineEntity({
  name: 'RepriceRun',
  tableName: 'reprice_run',
  properties: {
    tenant: text().primary(),
    /** 1, 2, 3 … for each tenant. */
    run: p.integer().primary(),
    /** The caller's name of the run. */
    runId: text(),
    reason: text(),
    /** The rest of the request, as JSON: by it a run is recognized. */
    filter: p.json<unknown>(),
    createTimeMicros: micros().fieldName('create_time'),
  },
  triggers: [erasable('reprice_run')],
  uniques: [{ name: 'reprice_run_run_id_key', properties: ['tenant', 'runId'] }],
});

/** That a period was closed: usage before `endTimeMicros`. */
export const PeriodCloseEntity = defineEntity({
  name: 'PeriodClose',
  tableName: 'period_close',
  properties: {
    tenant: text().primary(),
    endTimeMicros: micros().fieldName('end_time').primary(),
    createTimeMicros: micros().fieldName('create_time'),
    /** The last number of the journal when the period was closed. */
    sequence: p.bigint(),
  },
  triggers: [appendOnly('period_close')],
});

export const correctionEntities = [CorrectionEntity, CostRevisionEntity, RepriceRunEntity, PeriodCloseEntity];

export type CorrectionRow = InferEntity<typeof CorrectionEntity>;
export type CostRevisionRow = InferEntity<typeof CostRevisionEntity>;
