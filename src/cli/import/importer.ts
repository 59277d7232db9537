/** The loop between the rows of a file and the recorder. */

import { Outcome, type ChargeResult } from '../../../generated/charge/v1/charge_service.ts';
import { startProgress, type Progress } from '../progress.ts';
import { Recorder } from '../recorder.ts';
import { describe, toServerError } from '../server-error.ts';
import { RowConverter, type Conversion } from './convert-rows.ts';
import type { ImportOptions } from './options.ts';
import { describeViolations, type RejectFile, type Rejection } from './rejects.ts';
import type { Row } from './row.ts';
import { SHOWN_REJECTIONS_MAX, type Totals } from './totals.ts';

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
  readonly totals: Totals;
  /** What is told about rows after the first ones. */
  readonly warnings: string[] = [];
  readonly rejects: RejectFile;
  readonly #progress: Progress;
  readonly #converter: RowConverter;
  readonly #recorder: Recorder<Pending>;
  readonly #knownColumns: Set<string>;
  #lastColumns: readonly string[] | undefined;

  /** `knownColumns`: those that the plan has named. `totalBytes` is the size of the file. */
  constructor(
    options: ImportOptions,
    conversion: Conversion,
    rejects: RejectFile,
    knownColumns: readonly string[],
    totalBytes: number,
    totals: Totals,
  ) {
    this.totals = totals;
    this.rejects = rejects;
    this.#progress = startProgress(process.stderr, totalBytes, this.totals);
    this.#converter = new RowConverter(conversion);
    this.#knownColumns = new Set(knownColumns);
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
    if (!(await this.#recorder.drain(interrupt)))
      await this.#recorder.drain(AbortSignal.timeout(INTERRUPT_TIMEOUT_MS));
  }

  /** Ends the connection and the progress display. */
  close(): void {
    this.#recorder.close();
    this.#progress.stop();
  }

  /** Resolves to false if it is interrupted before there was room for the row. */
  #put(row: Row, interrupt: AbortSignal): Promise<boolean> {
    this.#warnOfColumns(row);
    const converted = this.#converter.convert(row);
    if ('leftOut' in converted) {
      this.totals.leftOut += 1;
      return Promise.resolve(!interrupt.aborted);
    }
    const request = 'request' in converted ? converted.request : undefined;
    const rejection = 'rejection' in converted ? converted.rejection : undefined;
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
      if (code === 'CHARGE_ERASED') this.totals.addErased(attempts);
      else
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

  /** Later objects of NDJSON may have columns that the plan does not know. */
  #warnOfColumns(row: Row): void {
    if (row.columns === this.#lastColumns || row.fault !== undefined) return;
    this.#lastColumns = row.columns;
    const unknown = this.#converter.unknownColumns(row).filter((column) => !this.#knownColumns.has(column));
    if (unknown.length === 0) return;
    for (const column of unknown) this.#knownColumns.add(column);
    if (this.warnings.length >= WARNINGS_MAX) return;
    const text = `columns that the first rows did not have, and that are not recorded: ${unknown.join(', ')}`;
    this.warnings.push(text);
    this.#progress.notice(`warning: ${text}`);
  }
}
