/** Makes a charge from the cells of one row, or says everything that is wrong with them. */

import { Charge, ChargeType, Provider } from '../../../generated/charge/v1/charge.ts';
import type { FieldViolation } from '../../errors/failure.ts';
import { meaningOf, type Assignment, type ColumnPlan } from './columns.ts';
import type { Draft, Fail } from './draft.ts';
import type { Field } from './fields.ts';
import { factsOf } from './identity.ts';
import type { ImportOptions } from './options.ts';
import { Unusable, type Cell } from './row.ts';
import { settleParts, type Unsettled } from './settle-parts.ts';
import { parseCount } from './values.ts';

/** The part of every charge that does not come from its row. */
export interface ChargeTemplate {
  readonly otherProviders: ImportOptions['otherProviders'] | undefined;
  /** Values for fields that a row leaves empty: `--set`, and then what the layout says. */
  readonly constants: readonly (readonly [Field, string])[];
  /** Whether a charge may have no time; the service then records the moment of the import. */
  readonly takesImportTime: boolean;
  /** Whether parts of which nothing says where they are may be taken to be inside the counts. */
  readonly takesInside: boolean;
}

/** The charge of a row, with what identifies it; or the violations, at least one. */
export type Converted =
  | {
      readonly charge: Charge;
      /** See {@link factsOf}. */
      readonly facts: string;
      readonly unsettled: readonly Unsettled[];
      /** The reported cost had more than 9 decimals. */
      readonly isCostRounded: boolean;
    }
  | { readonly violations: readonly FieldViolation[] };

/** What a charge has if neither the file nor a flag says it. */
export const DEFAULTS = {
  user_profile: 'import',
  provider: 'PROVIDER_OTHER',
  other_provider: 'unknown',
} as const;

/**
 * Converts one row. It checks what the contract's message cannot carry (digits, times, enum names) and
 * that nothing has to be invented (counts, the model, the time). Lengths and the rules between fields are
 * checked by the server. Never throws.
 */
export function toCharge(
  { assignments, places }: Pick<ColumnPlan, 'assignments' | 'places'>,
  cells: readonly Cell[],
  { constants, otherProviders, takesImportTime, takesInside }: ChargeTemplate,
): Converted {
  const charge = Charge.fromPartial({});
  const draft = newDraft(charge, otherProviders);
  const violations: FieldViolation[] = [];
  const read = (field: Field, cell: string | Unusable): void => {
    const fail: Fail = (rule, description) => violations.push({ field: field.path, description, rule });
    draft.filled.add(field.name);
    if (cell instanceof Unusable) fail('import.type', `is ${cell.what}, not a single value`);
    else if (!cell.isWellFormed()) fail('import.text', 'is not well-formed Unicode');
    else field.read(draft, cell, fail);
  };
  for (const assignment of assignments) {
    const value = firstValue(assignment, cells);
    if (value !== undefined) read(assignment.field, value);
  }
  const facts = factsOf(draft);
  for (const [field, value] of constants) if (!draft.filled.has(field.name)) read(field, value);
  if (draft.offsetMs !== undefined) addOffset(charge, draft.offsetMs);
  fillDefaults(draft);
  putParts(draft);
  const unsettled = settleParts(draft, places);
  violations.push(...missing(draft, takesImportTime));
  if (!takesInside) violations.push(...unsettled.map((part) => UNSETTLED[part]));
  if (violations.length > 0) return { violations };
  return { charge, facts, unsettled, isCostRounded: draft.isCostRounded === true };
}

/** A draft that has what the charge has. */
export function newDraft(charge: Charge, otherProviders: boolean | undefined): Draft {
  const quantities = new Map(charge.quantities.map(({ kind, amount }) => [kind, amount]));
  return { charge, otherProviders, filled: new Set(), cacheWriteTokens: 0n, quantities };
}

/** Puts what several columns say together into the charge: quantities, and an amount with its currency. */
export function putParts({ charge, quantities, reportedNanos, currency }: Draft): void {
  const used = [...quantities].filter(([, amount]) => amount > 0n).sort(([a], [b]) => a - b);
  charge.quantities = used.map(([kind, amount]) => ({ kind, amount }));
  const nanos = reportedNanos ?? charge.reportedCost?.nanos;
  if (nanos === undefined) return;
  charge.reportedCost = { currencyCode: currency ?? charge.reportedCost?.currencyCode ?? 'USD', nanos };
}

/** What the first choice with a value says. Undefined: the row does not say it. */
function firstValue(
  { choices, meanings }: Assignment,
  cells: readonly Cell[],
): string | Unusable | undefined {
  for (const sum of choices) {
    if (!hasValue(cells[sum[0] ?? -1])) continue;
    const value = addUp(sum.map((index) => cells[index]));
    const meant = typeof value === 'string' ? meaningOf(value, meanings) : value;
    if (meant !== '') return meant;
  }
  return undefined;
}

/** Whether a cell says anything. */
function hasValue(cell: Cell): cell is string | Unusable {
  return cell !== undefined && (typeof cell !== 'string' || cell.trim() !== '');
}

/** The sum of counts as text. The first cell has a value; an empty one after it adds nothing. */
function addUp(cells: readonly Cell[]): string | Unusable {
  const [first = '', ...others] = cells.filter(hasValue);
  let text = first;
  for (const other of others) {
    if (text instanceof Unusable) return text;
    if (other instanceof Unusable) return other;
    const [left, right] = [parseCount(text.trim()), parseCount(other.trim())];
    // The text that is no count is refused with its reason when the field reads it.
    if (typeof left !== 'bigint') return text;
    if (typeof right !== 'bigint') return other;
    text = String(left + right);
  }
  return text;
}

function addOffset(charge: Charge, offsetMs: number): void {
  if (!charge.usageTime) return;
  const nanos = BigInt(charge.usageTime.nanos) + BigInt(Math.round(offsetMs * 1e6));
  charge.usageTime = {
    seconds: charge.usageTime.seconds + nanos / 1_000_000_000n,
    nanos: Number(nanos % 1_000_000_000n),
  };
}

function fillDefaults({ charge, filled }: Draft): void {
  if (charge.userProfile === '') charge.userProfile = DEFAULTS.user_profile;
  if (!filled.has('charge_type')) charge.chargeType = ChargeType.CHARGE_TYPE_COMPLETION;
  if (charge.provider === 0) {
    charge.provider = Provider.PROVIDER_OTHER;
    if (charge.otherProvider === '') charge.otherProvider = DEFAULTS.other_provider;
  }
}

/** What must not be invented: the counts and the model of a completion, and the time of any charge. */
function missing({ charge, filled, offsetMs }: Draft, takesImportTime: boolean): FieldViolation[] {
  const violations: FieldViolation[] = [];
  const add = (name: string, rule: string, description: string): void => {
    if (!filled.has(name)) violations.push({ field: `charge.${name}`, description, rule });
  };
  if (charge.chargeType === ChargeType.CHARGE_TYPE_COMPLETION) {
    for (const name of ['prompt_tokens', 'completion_tokens'])
      add(name, 'import.count', `is missing in this row; if that means 0, --set ${name}=0 says so`);
    add(
      'model',
      'import.model',
      'is missing in this row; --set model=NAME gives rows without one this model',
    );
  }
  if (!takesImportTime || offsetMs !== undefined)
    add('usage_time', 'import.time', 'is empty; --set usage_time=TIME gives rows without one this time');
  return violations;
}

const UNSETTLED: Readonly<Record<Unsettled, FieldViolation>> = {
  cache: {
    field: 'charge.prompt_tokens',
    description:
      'may include the cached tokens of this row or not: no total_tokens tells, so say it with --map prompt_tokens=…',
    rule: 'import.cache',
  },
  reasoning: {
    field: 'charge.completion_tokens',
    description:
      'may include the reasoning tokens of this row or not: no total_tokens tells, so say it with --map completion_tokens=…',
    rule: 'import.reasoning',
  },
};
