/** The counts of one import. */

import { Outcome, type ChargeResult } from '../../../generated/charge/v1/charge_service.ts';
import type { Rejection } from './rejects.ts';

/** Rejections that are shown one by one. */
export const SHOWN_REJECTIONS_MAX = 10;

/** Counts answered rows; token sums are of rows that are stored, whether created now or before. */
export class Totals {
  /** Rows of the file that were read, blank lines aside. */
  read = 0;
  created = 0;
  replayed = 0;
  /** Of the replayed: rows that were sent again after a broken stream, so that this import may have created them. */
  replayedAfterResend = 0;
  rejected = 0;
  /** Of the rejected: rows whose request id is taken with other content. */
  conflicts = 0;
  promptTokens = 0n;
  completionTokens = 0n;
  readonly firstRejections: Rejection[] = [];

  get answered(): number {
    return this.created + this.replayed + this.rejected;
  }

  /** Counts a stored row; `attempts` is how often it had been sent before to no avail. */
  addStored(result: ChargeResult, attempts: number): void {
    if (result.outcome === Outcome.OUTCOME_CREATED) this.created += 1;
    else {
      this.replayed += 1;
      if (attempts > 0) this.replayedAfterResend += 1;
    }
    this.promptTokens += result.charge?.promptTokens ?? 0n;
    this.completionTokens += result.charge?.completionTokens ?? 0n;
  }

  addRejected(rejection: Rejection): void {
    this.rejected += 1;
    if (rejection.code === 'REQUEST_ID_REUSED') this.conflicts += 1;
    if (this.firstRejections.length < SHOWN_REJECTIONS_MAX) this.firstRejections.push(rejection);
  }
}
