/** Turns the rows of a file into requests, whose columns may differ from row to row (NDJSON). */

import type { Charge } from '../../../generated/charge/v1/charge.ts';
import { CreateChargeRequest } from '../../../generated/charge/v1/charge_service.ts';
import { cellsOf, planColumns, type ColumnPlan, type ColumnRules } from './columns.ts';
import { hashOf, idInRow, NumberTable, requestIdOf, withPrefix } from './identity.ts';
import type { Cells } from './layouts/layout.ts';
import { describeViolations, type Rejection } from './rejects.ts';
import type { Cell, Row } from './row.ts';
import type { Unsettled } from './settle-parts.ts';
import { toCharge, type ChargeTemplate } from './to-charge.ts';

/** How rows become requests. The same for the plan, the check before sending, and the import. */
export interface Conversion {
  readonly rules: ColumnRules;
  readonly template: ChargeTemplate;
  /** Of an event on several lines, the number of the row that counts, by its id. */
  readonly counted?: NumberTable | undefined;
  /** `--request-id-prefix`. */
  readonly requestIdPrefix?: string | undefined;
  /** Id of the import that the charges become part of. Absent: nothing is recorded. */
  readonly importId?: string;
}

/** A request, why the row cannot be sent, or neither: the row is left out because it is no usage of its own. */
export type ConvertedRow =
  | {
      readonly request: CreateChargeRequest;
      readonly unsettled: readonly Unsettled[];
      readonly isCostRounded: boolean;
    }
  | { readonly rejection: Rejection }
  | { readonly leftOut: true };

/** The service refuses larger items and ends the whole stream for one, so they are not sent. */
const REQUEST_BYTES_MAX = 1_048_576;
/** Bytes of the tag and the length of the message around the request. */
const WRAPPER_BYTES = 16;
/** Only the request of a longer row is measured. A value can be mapped a few times. */
const MEASURED_CHARS_MIN = 65_536;
/** The plans of so many different sets of keys are kept. */
const PLANS_MAX = 256;

/** The columns of a row as they are planned, and access to its cells by name. */
export interface PlannedColumns {
  readonly plan: ColumnPlan;
  readonly cells: (cells: readonly Cell[]) => Cells;
}

/** Plans each set of columns once. */
export class ColumnPlanner {
  readonly #rules: ColumnRules;
  readonly #plans = new Map<string, PlannedColumns>();
  #lastColumns: readonly string[] | undefined;
  #last: PlannedColumns | undefined;

  constructor(rules: ColumnRules) {
    this.#rules = rules;
  }

  of(columns: readonly string[]): PlannedColumns {
    if (this.#last && columns === this.#lastColumns) return this.#last;
    const key = columns.join('\0');
    let planned = this.#plans.get(key);
    if (!planned) {
      planned = { plan: planColumns(columns, this.#rules), cells: cellsOf(columns) };
      if (this.#plans.size < PLANS_MAX) this.#plans.set(key, planned);
    }
    this.#lastColumns = columns;
    this.#last = planned;
    return planned;
  }

  /** Whether the row is usage, as far as the layout says it. */
  isUsage(row: Row): boolean {
    const { isUsage } = this.#rules.layout ?? {};
    return !isUsage || isUsage(this.of(row.columns).cells(row.cells));
  }
}

/** Converts one row after the other, from the first one on. */
export class RowConverter {
  readonly #conversion: Conversion;
  readonly #planner: ColumnPlanner;
  readonly #equalRows = new NumberTable();
  #rowNumber = 0;

  constructor(conversion: Conversion) {
    this.#conversion = conversion;
    this.#planner = new ColumnPlanner(conversion.rules);
  }

  /** Columns of this row that fill no field. */
  unknownColumns(row: Row): readonly string[] {
    return this.#conversion.rules.layout?.exact ? [] : this.#planner.of(row.columns).plan.unknown;
  }

  /** The reports of two people have the same buckets, and only `--set user_profile` tells them apart. */
  #withUser(id: string, userProfile: string): string {
    const isBucket = this.#conversion.rules.idColumns.length > 1;
    return isBucket ? `import:${hashOf(JSON.stringify([id, userProfile]))}` : id;
  }

  convert(row: Row): ConvertedRow {
    this.#rowNumber += 1;
    const reject = (code: string, reason: string, details: Partial<Rejection> = {}): ConvertedRow => ({
      rejection: { row: row.line, code, reason, violations: [], raw: row.raw, ...details },
    });
    if (row.fault !== undefined) return reject('UNREADABLE_ROW', row.fault);
    if (!this.#planner.isUsage(row)) return { leftOut: true };
    const { template, counted, rules, requestIdPrefix = '' } = this.#conversion;
    if (rules.layout?.exact) {
      const exact = rules.layout.exact(row);
      if ('violations' in exact) return reject('INVALID_VALUE', describeViolations(exact.violations), exact);
      const { charge, requestId } = exact;
      const parts = { unsettled: [], isCostRounded: false };
      return this.#sized(row, charge, withPrefix(requestIdPrefix, requestId), parts);
    }
    const { plan } = this.#planner.of(row.columns);
    const id = idInRow(plan, row.cells);
    if (id !== undefined && counted && counted.get(id) !== this.#rowNumber) return { leftOut: true };
    const converted = toCharge(plan, row.cells, template);
    if ('violations' in converted) {
      const { violations } = converted;
      return reject('INVALID_VALUE', describeViolations(violations), { violations });
    }
    const { charge, facts, unsettled, isCostRounded } = converted;
    const ownId =
      id === undefined
        ? requestIdOf(facts, this.#equalRows.count(facts))
        : this.#withUser(id, charge.userProfile);
    return this.#sized(row, charge, withPrefix(requestIdPrefix, ownId), { unsettled, isCostRounded });
  }

  /** The request of a row, unless it is too large. */
  #sized(
    row: Row,
    charge: Charge,
    requestId: string,
    facts: { readonly unsettled: readonly Unsettled[]; readonly isCostRounded: boolean },
  ): ConvertedRow {
    const request = { charge, requestId, importId: this.#conversion.importId ?? '' };
    if (row.raw.length < MEASURED_CHARS_MIN) return { request, ...facts };
    const size = CreateChargeRequest.encode(request).finish().length;
    if (size + WRAPPER_BYTES <= REQUEST_BYTES_MAX) return { request, ...facts };
    const reason = `the request would have ${size} bytes, and the service accepts ${REQUEST_BYTES_MAX}`;
    const rejection = {
      row: row.line,
      code: 'ROW_TOO_LARGE',
      reason,
      violations: [],
      raw: row.raw,
      requestId,
    };
    return { rejection };
  }
}
