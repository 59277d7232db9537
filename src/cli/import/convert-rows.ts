/** Turns the rows of a file into requests, whose columns may differ from row to row (NDJSON). */

import { CreateChargeRequest } from '../../../generated/charge/v1/charge_service.ts';
import { planColumns, type ColumnPlan } from './columns.ts';
import type { ImportOptions } from './options.ts';
import { unknownColumnWarnings, type ImportPlan } from './plan.ts';
import { describeViolations, type Rejection } from './rejects.ts';
import { requestIdOf } from './request-id.ts';
import type { Row } from './row.ts';
import { toCharge } from './to-charge.ts';

/** Either a request, or why the row cannot be sent. */
export interface ConvertedRow {
  readonly request?: CreateChargeRequest;
  readonly rejection?: Rejection;
}

/** The service refuses larger items and ends the whole stream for one, so they are not sent. */
const REQUEST_BYTES_MAX = 1_048_576;
/** Bytes of the tag and the length of the message around the request. */
const WRAPPER_BYTES = 16;
/** Only the request of a longer row is measured. A value can be mapped a few times. */
const MEASURED_CHARS_MIN = 65_536;
/** The plans of so many different sets of keys are kept. */
const PLANS_MAX = 256;

/** Converts one row after the other. `warn` is told of columns that the first row did not have. */
export class RowConverter {
  readonly #options: ImportOptions;
  readonly #plan: ImportPlan;
  readonly #fileId: string;
  readonly #warn: (text: string) => void;
  readonly #plans = new Map<string, ColumnPlan>();
  readonly #namedUnknown: Set<string>;
  readonly #missing: Set<string>;
  #lastColumns: readonly string[] | undefined;
  #lastPlan: ColumnPlan;

  constructor(options: ImportOptions, plan: ImportPlan, fileId: string, warn: (text: string) => void) {
    this.#options = options;
    this.#plan = plan;
    this.#fileId = fileId;
    this.#warn = warn;
    this.#lastPlan = plan.columns;
    this.#namedUnknown = new Set(plan.columns.unknown);
    this.#missing = new Set(plan.columns.missing);
  }

  /** Columns that a flag names and that no row had. */
  get missingColumns(): readonly string[] {
    return [...this.#missing];
  }

  convert(row: Row): ConvertedRow {
    const reject = (code: string, reason: string, details: Partial<Rejection> = {}): ConvertedRow => ({
      rejection: { row: row.line, code, reason, violations: [], raw: row.raw, ...details },
    });
    if (row.fault !== undefined) return reject('UNREADABLE_ROW', row.fault);
    const converted = toCharge(this.#planFor(row.columns).targets, row.cells, this.#plan.template);
    if ('violations' in converted) {
      const { violations } = converted;
      return reject('INVALID_VALUE', describeViolations(violations), { violations });
    }
    const { requestIdColumn } = this.#options;
    const requestId =
      requestIdColumn === undefined ? requestIdOf(this.#fileId, row.line) : converted.requestId;
    if (requestId === undefined)
      return reject('INVALID_VALUE', `column ${requestIdColumn} has no request id`);
    const request = { charge: converted.charge, requestId };
    if (row.raw.length < MEASURED_CHARS_MIN) return { request };
    const size = CreateChargeRequest.encode(request).finish().length;
    if (size + WRAPPER_BYTES <= REQUEST_BYTES_MAX) return { request };
    const reason = `the request would have ${size} bytes, and the service accepts ${REQUEST_BYTES_MAX}`;
    return reject('ROW_TOO_LARGE', reason, { requestId });
  }

  #planFor(columns: readonly string[]): ColumnPlan {
    if (columns === this.#lastColumns) return this.#lastPlan;
    const key = columns.join('\0');
    let plan = this.#plans.get(key);
    if (!plan) {
      plan = planColumns(columns, this.#options);
      if (this.#plans.size < PLANS_MAX) this.#plans.set(key, plan);
      for (const column of columns) this.#missing.delete(column);
      const unknown = plan.unknown.filter((column) => !this.#namedUnknown.has(column));
      for (const column of unknown) this.#namedUnknown.add(column);
      for (const warning of unknownColumnWarnings(unknown)) this.#warn(warning);
    }
    this.#lastColumns = columns;
    this.#lastPlan = plan;
    return plan;
  }
}
