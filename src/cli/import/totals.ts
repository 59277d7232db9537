/** The counts of one import. */

import {
  Outcome,
  type ChargeResult,
  type CreateChargeRequest,
} from '../../../generated/charge/v1/charge_service.ts';
import { group } from '../progress.ts';
import type { Rejection } from './rejects.ts';

/** So many rejections are shown one by one. */
export const SHOWN_REJECTIONS_MAX = 10;

/** Counts answered rows. The token sums are of rows that are stored, by this import or an earlier one. */
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
  promptTokens = 0n;
  completionTokens = 0n;
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
    this.promptTokens += result.charge?.promptTokens ?? 0n;
    this.completionTokens += result.charge?.completionTokens ?? 0n;
  }

  /** Counts a row that a dry run expects to be stored. */
  addExpected({ charge }: CreateChargeRequest, isStored: boolean): void {
    if (isStored) this.replayed += 1;
    else this.created += 1;
    this.promptTokens += charge?.promptTokens ?? 0n;
    this.completionTokens += charge?.completionTokens ?? 0n;
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
