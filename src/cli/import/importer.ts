/** The loop between the rows of a file and the recorder. */

import { Outcome, type ChargeResult } from '../../../generated/charge/v1/charge_service.ts';
import { startProgress, type Progress } from '../progress.ts';
import { Recorder } from '../recorder.ts';
import { describe, toServerError } from '../server-error.ts';
import { RowConverter } from './convert-rows.ts';
import type { ImportOptions } from './options.ts';
import type { ImportPlan } from './plan.ts';
import { describeViolations, RejectFile, type Rejection } from './rejects.ts';
import type { Row } from './row.ts';
import { SHOWN_REJECTIONS_MAX, Totals } from './totals.ts';

/** A row without an answer. */
interface Pending {
  readonly row: Row;
  readonly requestId: string | undefined;
  /** Why the row is not sent. */
  readonly rejection: Rejection | undefined;
}

const CONNECT_TIMEOUT_MS = 5000;
/** How long an interrupted import waits for the answers to what was sent. */
const INTERRUPT_TIMEOUT_MS = 10_000;
const WARNINGS_MAX = 100;

/** Converts rows, sends them, and counts each one once, in the order of the file. */
export class Importer {
  readonly totals = new Totals();
  readonly warnings: string[];
  readonly rejects: RejectFile;
  readonly #progress: Progress;
  readonly #converter: RowConverter;
  readonly #recorder: Recorder<Pending>;

  /** `totalBytes` is the size of the file, if it is known. */
  constructor(options: ImportOptions, plan: ImportPlan, fileId: string, totalBytes: number | undefined) {
    this.warnings = [...plan.warnings];
    this.rejects = new RejectFile(options.rejectsPath, fileId);
    this.#progress = startProgress(process.stderr, totalBytes, this.totals);
    this.#converter = new RowConverter(options, plan, fileId, (text) => this.#warn(text));
    this.#recorder = new Recorder<Pending>({
      ...options,
      onAnswer: (pending, result, attempts) => this.#onAnswer(pending, result, attempts),
      onNotice: (text) => this.#progress.notice(text),
    });
  }

  /** Aborted when the service is given up. */
  get failed(): AbortSignal {
    return this.#recorder.failed;
  }

  /**
   * Imports every row and waits for every answer. After `interrupt` it takes no further row and
   * waits 10 s at most. Rejects with a ServiceUnavailable if the service is given up.
   */
  async run(rows: AsyncIterable<Row>, interrupt: AbortSignal): Promise<void> {
    await this.#recorder.connect(CONNECT_TIMEOUT_MS);
    try {
      for await (const row of rows) {
        if (!(await this.#put(row, interrupt))) break;
        this.totals.read += 1;
      }
    } catch (error) {
      // After Ctrl-C, or after a failure, which drain() rejects with.
      if (!(error instanceof Error && error.name === 'AbortError')) throw error;
    }
    if (!(await this.#recorder.drain(interrupt))) {
      await this.#recorder.drain(AbortSignal.timeout(INTERRUPT_TIMEOUT_MS));
    } else if (!interrupt.aborted) {
      for (const column of this.#converter.missingColumns)
        this.#warn(`no row has the column ${column} that a flag names`);
    }
  }

  /** Ends the connection and the progress display. */
  close(): void {
    this.#recorder.close();
    this.#progress.stop();
  }

  /** Resolves to false if it is interrupted before there was room for the row. */
  #put(row: Row, interrupt: AbortSignal): Promise<boolean> {
    const { request, rejection } = this.#converter.convert(row);
    const pending = { row, rejection, requestId: request?.requestId };
    return this.#recorder.put(pending, request, row.raw.length, interrupt);
  }

  #onAnswer(
    { row, requestId, rejection }: Pending,
    result: ChargeResult | undefined,
    attempts: number,
  ): void {
    if (rejection) this.#reject(rejection);
    else if (result?.outcome === Outcome.OUTCOME_REJECTED && result.status) {
      const error = toServerError(result.status);
      const { reason: code, violations } = error;
      this.#reject({ row: row.line, code, reason: describe(error), violations, requestId, raw: row.raw });
    } else if (result) this.totals.addStored(result, attempts);
    this.#progress.update(row.endOffset);
  }

  #reject(rejection: Rejection): void {
    this.totals.addRejected(rejection);
    this.rejects.add(rejection);
    if (this.totals.rejected <= SHOWN_REJECTIONS_MAX) {
      const { row, code, reason, violations } = rejection;
      const isAboutFields = code === 'VALIDATION_FAILED' && violations.length > 0;
      this.#progress.notice(
        `row ${row} rejected: ${isAboutFields ? describeViolations(violations) : reason}`,
      );
    } else if (this.totals.rejected === SHOWN_REJECTIONS_MAX + 1) {
      this.#progress.notice('more rejected rows: see the reject file');
    }
  }

  #warn(text: string): void {
    if (this.warnings.length >= WARNINGS_MAX) return;
    this.warnings.push(text);
    this.#progress.notice(`warning: ${text}`);
  }
}
