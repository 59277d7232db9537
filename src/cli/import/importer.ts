/** The loop between the rows of a file and the streams to the service. */

import {
  type ChargeResult,
  CreateChargeRequest,
  Outcome,
} from '../../../generated/charge/v1/charge_service.ts';
import { planColumns, type ColumnPlan } from './columns.ts';
import type { ImportOptions } from './options.ts';
import { unknownColumnWarnings, type ImportPlan } from './plan.ts';
import type { Progress } from './progress.ts';
import type { Row } from './read-rows.ts';
import { RecordStream } from './record-stream.ts';
import type { RejectFile, Rejection } from './rejects.ts';
import { requestIdOf } from './request-id.ts';
import { describe, toServerError } from './server-status.ts';
import { toCharge } from './to-charge.ts';
import { SHOWN_REJECTIONS_MAX, type Totals } from './totals.ts';

/** What an {@link Importer} works with. */
export interface ImporterParts {
  readonly options: ImportOptions;
  readonly plan: ImportPlan;
  readonly fileId: string;
  readonly totals: Totals;
  readonly rejects: RejectFile;
  readonly progress: Progress;
  /** Called when the service is given up. */
  stopReading(): void;
}

/** A row under way: what is needed when its answer comes. */
interface Pending {
  readonly row: number;
  readonly raw: string;
  readonly endOffset: number;
  readonly requestId: string | undefined;
  readonly rejection: Rejection | undefined;
}

/** The service refuses items over 1 MiB and ends the whole stream for it; so they are not sent. */
const REQUEST_BYTES_MAX = 1_048_576;
/** A request is measured only when its row is long enough to matter: a value can be mapped a few times. */
const MEASURED_CHARS_MIN = 65_536;
/** Different sets of keys in NDJSON whose plans are kept. */
const PLANS_MAX = 256;
const WARNINGS_MAX = 100;

/** Converts rows, sends them, and accounts for each one once, in the order of the file. */
export class Importer {
  readonly warnings: string[];
  readonly #parts: ImporterParts;
  readonly #stream: RecordStream<Pending>;
  readonly #plans = new Map<string, ColumnPlan>();
  readonly #namedUnknown: Set<string>;
  readonly #missing: Set<string>;
  #lastColumns: readonly string[] | undefined;
  #lastPlan: ColumnPlan;

  constructor(parts: ImporterParts) {
    this.#parts = parts;
    this.#lastPlan = parts.plan.columns;
    this.#namedUnknown = new Set(parts.plan.columns.unknown);
    this.#missing = new Set(parts.plan.columns.missing);
    this.warnings = [...parts.plan.warnings];
    const { options, progress } = parts;
    this.#stream = new RecordStream<Pending>({
      address: options.address,
      streams: options.streams,
      windowRows: options.windowRows,
      retryTimeoutMs: options.retryTimeoutMs,
      onAnswer: (pending, result, attempts) => this.#onAnswer(pending, result, attempts),
      onPassed: (pending) => this.#reject(pending, pending.rejection),
      onNotice: (text) => progress.notice(text),
      onFailure: () => parts.stopReading(),
    });
  }

  /** See {@link RecordStream.connect}. */
  connect(timeoutMs: number): Promise<void> {
    return this.#stream.connect(timeoutMs);
  }

  /**
   * Imports every row and waits for every answer; after `interrupt` at most `interruptTimeoutMs`
   * more. Rejects with a ServiceUnreachable when the service is given up.
   */
  async run(rows: AsyncIterable<Row>, interrupt: AbortSignal, interruptTimeoutMs: number): Promise<void> {
    const { totals } = this.#parts;
    try {
      for await (const row of rows) {
        if (interrupt.aborted || !(await this.#take(row, interrupt))) break;
        totals.read += 1;
      }
    } catch (error) {
      // Reading was aborted: by Ctrl-C, or by a failure that drain() rejects with.
      if (!(error instanceof Error && error.name === 'AbortError')) throw error;
    }
    const isDone = await this.#drain(interrupt, interruptTimeoutMs);
    if (isDone && !interrupt.aborted) this.#warnAboutMissing();
  }

  /** Ends the connection. */
  close(): void {
    this.#stream.close();
  }

  /** Waits for every answer; from the moment of `interrupt` on, no longer than `timeoutMs`. */
  async #drain(interrupt: AbortSignal, timeoutMs: number): Promise<boolean> {
    while (!interrupt.aborted) {
      if (await this.#stream.drain(200)) return true;
    }
    return this.#stream.drain(timeoutMs);
  }

  /** False: interrupted before there was room for the row. */
  #take(row: Row, interrupt: AbortSignal): Promise<boolean> {
    const pending = { row: row.line, raw: row.raw, endOffset: row.endOffset };
    const bytes = row.raw.length;
    const request = this.#convert(row);
    if ('code' in request) {
      const rejected = { ...pending, requestId: request.requestId, rejection: request };
      return this.#stream.pass(rejected, bytes, interrupt);
    }
    const sent = { ...pending, requestId: request.requestId, rejection: undefined };
    return this.#stream.put(sent, request, bytes, interrupt);
  }

  #convert(row: Row): CreateChargeRequest | Rejection {
    const place = { row: row.line, raw: row.raw };
    if (row.fault !== undefined)
      return { ...place, code: 'UNREADABLE_ROW', reason: row.fault, violations: [] };
    const plan = this.#planFor(row.columns);
    const converted = toCharge(plan.targets, row.cells, this.#parts.plan.template);
    if ('violations' in converted) {
      const { violations } = converted;
      return { ...place, code: 'INVALID_VALUE', reason: textOf(violations), violations };
    }
    const usesColumn = this.#parts.options.requestIdColumn !== undefined;
    const requestId = usesColumn ? converted.requestId : requestIdOf(this.#parts.fileId, row.line);
    if (requestId === undefined) {
      const reason = `column ${this.#parts.options.requestIdColumn} has no request id`;
      return { ...place, code: 'INVALID_VALUE', reason, violations: [] };
    }
    const request = { charge: converted.charge, requestId };
    if (row.raw.length < MEASURED_CHARS_MIN) return request;
    const size = CreateChargeRequest.encode(request).finish().length;
    // 16 bytes for the tag and the length of the message around the request.
    if (size + 16 <= REQUEST_BYTES_MAX) return request;
    const reason = `the request would have ${size} bytes, the service takes ${REQUEST_BYTES_MAX}`;
    return { ...place, code: 'ROW_TOO_LARGE', reason, violations: [], requestId };
  }

  #planFor(columns: readonly string[]): ColumnPlan {
    if (columns === this.#lastColumns) return this.#lastPlan;
    const key = columns.join('\0');
    let plan = this.#plans.get(key);
    if (!plan) {
      plan = planColumns(columns, this.#parts.plan.rules);
      if (this.#plans.size < PLANS_MAX) this.#plans.set(key, plan);
      this.#warnAboutNew(plan, columns);
    }
    this.#lastColumns = columns;
    this.#lastPlan = plan;
    return plan;
  }

  #warnAboutNew(plan: ColumnPlan, columns: readonly string[]): void {
    for (const column of columns) this.#missing.delete(column);
    const fresh = plan.unknown.filter((column) => !this.#namedUnknown.has(column));
    for (const column of fresh) this.#namedUnknown.add(column);
    for (const warning of unknownColumnWarnings(fresh)) this.#warn(warning);
  }

  #warnAboutMissing(): void {
    for (const column of this.#missing) this.#warn(`no row has the column ${column} that a flag names`);
  }

  #warn(text: string): void {
    if (this.warnings.length >= WARNINGS_MAX) return;
    this.warnings.push(text);
    this.#parts.progress.notice(`warning: ${text}`);
  }

  #onAnswer(pending: Pending, result: ChargeResult, attempts: number): void {
    const { totals, progress } = this.#parts;
    if (result.outcome === Outcome.OUTCOME_REJECTED && result.status) {
      const error = toServerError(result.status);
      const { row, raw, requestId } = pending;
      const violations = error.violations;
      return this.#reject(pending, {
        row,
        code: error.reason,
        reason: describe(error),
        violations,
        requestId,
        raw,
      });
    }
    totals.addStored(result, attempts);
    progress.update(totals, pending.endOffset);
  }

  #reject(pending: Pending, rejection: Rejection | undefined): void {
    if (!rejection) return;
    const { totals, progress, rejects } = this.#parts;
    totals.addRejected(rejection);
    rejects.add(rejection);
    if (totals.rejected <= SHOWN_REJECTIONS_MAX) {
      const isOfFields = rejection.code === 'VALIDATION_FAILED' && rejection.violations.length > 0;
      const detail = isOfFields ? textOf(rejection.violations) : rejection.reason;
      progress.notice(`row ${rejection.row} rejected: ${detail}`);
    } else if (totals.rejected === SHOWN_REJECTIONS_MAX + 1)
      progress.notice('more rejected rows: see the reject file');
    progress.update(totals, pending.endOffset);
  }
}

/** For a person, who knows the fields of a charge. */
function textOf(violations: Rejection['violations']): string {
  return violations
    .map(({ field, description }) => `${field.replace(/^charge\./, '')} ${description}`)
    .join('; ');
}
