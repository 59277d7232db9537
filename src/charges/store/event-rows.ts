/** Events from rows: the same ones right after COMMIT and when the journal is read years later. */

import type { Cost } from '../../prices/index.ts';
import { CHARGE_STATE, type ChargeStatus } from '../charge.ts';
import type { AmendedEvent, CreatedEvent, RepricedEvent, VoidedEvent } from '../charge-event.ts';
import type { CorrectionRow } from '../correction-entities.ts';
import type { ChargeRow } from '../entity.ts';
import type { CostRevision } from './cost-revisions.ts';

/** That `charge`, as it was recorded, is new. */
export function createdEvent(charge: ChargeRow, sequence: bigint): CreatedEvent {
  const { id, tenant, traceparent } = charge;
  return { kind: 'created', id, tenant, sequence, traceparent: traceparent || undefined, charge };
}

/** That `charge` was voided. Expects it with its latest cost. */
export function voidedEvent(charge: ChargeRow, correction: CorrectionRow): VoidedEvent {
  return { kind: 'voided', ...ofCorrection(correction), charge: corrected(charge, correction), correction };
}

/** That `replacement`, as it was recorded, took the place of `original`. Expects the latter with its latest cost. */
export function amendedEvent(
  original: ChargeRow,
  replacement: ChargeRow,
  correction: CorrectionRow,
): AmendedEvent {
  return {
    kind: 'amended',
    ...ofCorrection(correction),
    charge: replacement,
    original: corrected(original, correction),
    correction,
  };
}

/** That a charge got another cost. `charge`: as it was recorded. `previousCost`: that of the revision before, if any. */
export function repricedEvent(charge: ChargeRow, revision: CostRevision, previousCost: Cost): RepricedEvent {
  const { id, tenant, sequence, runId, createTimeMicros } = revision;
  const status: ChargeStatus = {
    state: CHARGE_STATE.active,
    replacedBy: '',
    revision: revision.revision,
    updateTimeMicros: later(charge.createTimeMicros, createTimeMicros),
  };
  return {
    kind: 'repriced',
    id,
    tenant,
    sequence,
    traceparent: undefined,
    charge: { ...charge, ...costOf(revision), status },
    previousCost: costOf(previousCost),
    runId,
  };
}

/** A charge after its correction. Expects it with its latest cost. */
export function corrected(charge: ChargeRow, correction: CorrectionRow): ChargeRow {
  const updatedMicros = charge.status?.updateTimeMicros ?? charge.createTimeMicros;
  return {
    ...charge,
    status: {
      state: correction.state,
      replacedBy: correction.replacementId,
      revision: charge.status?.revision ?? 0,
      updateTimeMicros: later(updatedMicros, correction.createTimeMicros),
    },
  };
}

function ofCorrection({ id, tenant, sequence, traceparent }: CorrectionRow) {
  return { id, tenant, sequence, traceparent: traceparent || undefined };
}

function costOf(cost: Cost): Cost {
  const { costNanos, costCurrency, priceVersion, unpricedReason, unpricedKinds } = cost;
  return { costNanos, costCurrency, priceVersion, unpricedReason, unpricedKinds };
}

/** The clocks of two processes may differ. */
function later(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}
