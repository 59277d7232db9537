/** Counts what the write path did. */

import type { Reason } from '../errors/failure.ts';
import type { ChargeMetrics } from '../observability/charge-metrics.ts';
import type { Charge, RecordResult } from './charge.ts';
import type { ChargeEvent } from './charge-event.ts';
import { unpricedReasonLabel } from '../prices/index.ts';
import { providerLabel } from './convert.ts';

/** Counts results once each: in the hot path of every charge. */
export function countResults(metrics: ChargeMetrics, results: readonly RecordResult[]): void {
  for (const result of results) {
    if (result.outcome === 'created') {
      metrics.created();
      const { unpricedReason } = result.charge;
      if (unpricedReason !== 0) metrics.unpriced(unpricedReasonLabel(unpricedReason));
      metrics.tokens(providerLabel(result.charge.provider), result.charge.model, tokensOf(result.charge));
    } else if (result.outcome === 'replayed') metrics.replayed();
    else metrics.rejected(reasonOf(result));
  }
}

function reasonOf(
  result: Extract<RecordResult, { outcome: 'archived' | 'conflict' | 'erased' | 'refused' }>,
): Reason {
  if (result.outcome === 'archived') return 'CHARGE_ARCHIVED';
  if (result.outcome === 'conflict') return 'REQUEST_ID_REUSED';
  if (result.outcome === 'erased') return 'CHARGE_ERASED';
  return result.fault === 'unknown' ? 'USER_PROFILE_NOT_FOUND' : 'USER_PROFILE_DISABLED';
}

/** Counts the events of corrections. */
export function countCorrections(metrics: ChargeMetrics, events: readonly ChargeEvent[]): void {
  for (const { kind } of events) if (kind === 'voided' || kind === 'amended') metrics.corrected(kind);
}

function tokensOf({ promptTokens, completionTokens, totalTokens }: Charge) {
  return {
    prompt: Number(promptTokens),
    completion: Number(completionTokens),
    // Rounded last: a difference of rounded numbers could be below 0.
    other: Number(totalTokens - promptTokens - completionTokens),
  };
}
