/** The counts of one import. */

import { ChargeState, type Charge } from '../../../generated/charge/v1/charge.ts';
import {
  Outcome,
  type ChargeResult,
  type CreateChargeRequest,
} from '../../../generated/charge/v1/charge_service.ts';
import { group } from '../progress.ts';
import { CostSums } from '../costs.ts';
import type { Rejection } from './rejects.ts';

/** So many rejections are shown one by one. */
export const SHOWN_REJECTIONS_MAX = 10;

/** Counts answered rows. The sums are of rows whose charges count, whether this import recorded them or an earlier one. */
export class Totals {
  /** Rows that were read from the file, without blank lines. */
  read = 0;
  created = 0;
  replayed = 0;
  /** Of the replayed: rows that were sent again after a broken stream. This import may have created them. */
  replayedAfterResend = 0;
  rejected = 0;
  /** Rows that are no usage of their own, such as spans without tokens. They are not sent. */
  leftOut = 0;
  /** Of the rejected: rows whose request id belongs to a charge with other content. */
  conflicts = 0;
  /** Of the replayed: rows whose charges were voided, and those whose charges were amended. They do not count. */
  voided = 0;
  amended = 0;
  /** Of the replayed: rows whose charges count, but no longer tell the person they were of. They are in no sum here. */
  erased = 0;
  promptTokens = 0n;
  completionTokens = 0n;
  readonly costs = new CostSums();
  readonly firstRejections: Rejection[] = [];
  #startedAt = Date.now();

  /** From now on the time counts: a person may have thought about the plan for long. */
  start(): void {
    this.#startedAt = Date.now();
  }

  get answered(): number {
    return this.created + this.replayed + this.rejected + this.leftOut;
  }

  get elapsedMs(): number {
    return Date.now() - this.#startedAt;
  }

  /** Answered rows per second, rounded, as text. */
  get pace(): string {
    return `${group(Math.round((this.answered * 1000) / Math.max(this.elapsedMs, 1)))}/s`;
  }

  /** Counts a stored row. `attempts` is how often it was sent before without a final answer. */
  addStored(result: ChargeResult, attempts: number): void {
    if (result.outcome === Outcome.OUTCOME_CREATED) this.created += 1;
    else {
      this.replayed += 1;
      if (attempts > 0) this.replayedAfterResend += 1;
    }
    if (result.charge) this.#addCharge(result.charge);
  }

  /** Counts a row that was stored before, and whose person was erased since. */
  addErased(attempts = 0): void {
    this.replayed += 1;
    this.erased += 1;
    if (attempts > 0) this.replayedAfterResend += 1;
  }

  /** Counts a row that a dry run expects to be stored. `stored`: the charge that is there already. */
  addExpected({ charge }: CreateChargeRequest, isStored: boolean, stored: Charge | undefined): void {
    if (isStored) this.replayed += 1;
    else this.created += 1;
    const counted = stored ?? charge;
    if (counted) this.#addCharge(counted);
  }

  #addCharge(charge: Charge): void {
    if (charge.state === ChargeState.CHARGE_STATE_VOIDED) this.voided += 1;
    else if (charge.state === ChargeState.CHARGE_STATE_AMENDED) this.amended += 1;
    else {
      this.promptTokens += charge.promptTokens;
      this.completionTokens += charge.completionTokens;
      this.costs.add(charge);
    }
  }

  addRejected(rejection: Rejection): void {
    this.rejected += 1;
    if (rejection.code === 'REQUEST_ID_REUSED') this.conflicts += 1;
    if (this.firstRejections.length < SHOWN_REJECTIONS_MAX) this.firstRejections.push(rejection);
  }

  /** One line for the progress display. */
  toString(): string {
    const counts = `created ${group(this.created)}, replayed ${group(this.replayed)}, rejected ${group(this.rejected)}`;
    return `${group(this.answered)} rows, ${this.pace}: ${counts}`;
  }
}
