/** Voids charges one by one, many at a time. */

import type { Charge } from '../../../generated/charge/v1/charge.ts';
import type { VoidChargeResponse } from '../../../generated/charge/v1/charge_service.ts';
import { ServiceUnavailable } from '../client.ts';
import { CostSums } from '../costs.ts';
import { group, startProgress } from '../progress.ts';
import { callUnary, Refused } from '../unary.ts';
import type { Session } from './flags.ts';

/** Calls in flight. */
const IN_FLIGHT_MAX = 64;
/** So many refusals are kept with their reasons. */
const KEPT_REFUSALS_MAX = 1000;
const NOTICE_INTERVAL_MS = 3000;

/** What became of the charges. */
export class VoidTotals {
  voided = 0;
  /** Voided between the list and the call, by the same command or another one. */
  already = 0;
  refused = 0;
  readonly refusals: { readonly id: string; readonly reason: string; readonly message: string }[] = [];
  readonly costs = new CostSums();
  readonly #startedAt = Date.now();

  get answered(): number {
    return this.voided + this.already + this.refused;
  }

  get elapsedMs(): number {
    return Date.now() - this.#startedAt;
  }

  addVoided(charge: Charge | undefined): void {
    this.voided += 1;
    if (charge) this.costs.add(charge);
  }

  addRefused(id: string, reason: string, message: string): void {
    this.refused += 1;
    if (this.refusals.length < KEPT_REFUSALS_MAX) this.refusals.push({ id, reason, message });
  }

  /** One line for the progress display. */
  toString(): string {
    return `voided ${group(this.voided)}, refused ${group(this.refused)}`;
  }
}

/** The request id of a void. The same command again finds what it has done. */
export function voidRequestId(chargeId: string): string {
  return `void:${chargeId}`;
}

/**
 * Voids the charges, at most 64 at a time, until all are answered or `repeats.interrupt` is aborted. `failure`: why
 * it gave up before all were answered.
 */
export async function voidCharges(
  { client, repeats }: Session,
  ids: readonly string[],
  options: { readonly reason: string; readonly allowClosedPeriod: boolean },
): Promise<{ totals: VoidTotals; failure: ServiceUnavailable | undefined }> {
  const totals = new VoidTotals();
  const progress = startProgress(process.stderr, ids.length, totals);
  let failure: ServiceUnavailable | undefined;
  let next = 0;
  let lastNoticeAt = 0;
  const onTrouble = (text: string): void => {
    if (Date.now() - lastNoticeAt < NOTICE_INTERVAL_MS) return;
    lastNoticeAt = Date.now();
    progress.notice(`${text}; trying again for up to ${repeats.retryTimeoutMs / 1000} s`);
  };
  const voidOne = async (id: string): Promise<void> => {
    const request = { key: { $case: 'id', value: id } as const, requestId: voidRequestId(id), ...options };
    try {
      const { charge } = await callUnary<VoidChargeResponse>(
        (metadata, deadline, done) => client.voidCharge(request, metadata, deadline, done),
        { ...repeats, onTrouble },
      );
      totals.addVoided(charge);
    } catch (error) {
      if (error instanceof ServiceUnavailable) failure ??= error;
      else if (error instanceof Refused) addRefusal(totals, id, error);
      else if (!repeats.interrupt.aborted) throw error;
    }
  };
  const work = async (): Promise<void> => {
    while (!failure && !repeats.interrupt.aborted) {
      const id = ids[next++];
      if (id === undefined) return;
      await voidOne(id);
      progress.update(totals.answered);
    }
  };
  try {
    await Promise.all(Array.from({ length: IN_FLIGHT_MAX }, work));
    return { totals, failure };
  } finally {
    progress.stop();
  }
}

function addRefusal(totals: VoidTotals, id: string, { error, message }: Refused): void {
  const { reason, metadata } = error;
  // The request id of a void is made of the charge: if it was used, the charge is voided.
  const isVoided =
    reason === 'REQUEST_ID_REUSED' ||
    (reason === 'CHARGE_ALREADY_CORRECTED' && metadata.get('state')?.endsWith('VOIDED'));
  if (isVoided) totals.already += 1;
  else totals.addRefused(id, reason, message);
}
