/** Makes a charge from the cells of one row, or says everything that is wrong with them. */

import { Charge, ChargeType, type Provider } from '../../../generated/charge/v1/charge.ts';
import type { FieldViolation } from '../../errors/failure.ts';
import type { Draft, Fail, Field } from './fields.ts';
import type { ImportOptions } from './options.ts';
import { Unusable, type Cell } from './row.ts';

/** Values for fields that the file does not fill. Undefined: a column or a constant fills the field. */
export interface Defaults {
  readonly user_profile?: string;
  readonly provider?: Provider;
  /** Fills `other_provider` if `provider` is PROVIDER_OTHER by default. */
  readonly other_provider?: string;
  readonly charge_type?: ChargeType;
  /** Only for completions: other charges need no model. */
  readonly model?: string;
}

/** The part of every charge that does not come from its row. The constants are read before its cells. */
export interface ChargeTemplate extends Pick<ImportOptions, 'constants' | 'otherProviders'> {
  readonly defaults: Defaults;
}

/** The charge of a row and, with `--request-id-column`, its request id; or the violations, at least one. */
export type Converted =
  | { readonly charge: Charge; readonly requestId: string | undefined }
  | { readonly violations: readonly FieldViolation[] };

/** The violation of a completion without any token count. */
export const NO_COUNTS: FieldViolation = {
  field: 'charge.prompt_tokens',
  description: 'the row has no token count at all',
  rule: 'import.count',
};

/**
 * Converts one row; `targets` and `cells` correspond by index. It checks only what the contract's
 * message cannot carry (digits, times, enum names, missing counts). Lengths and the rules between
 * fields are checked by the server. Never throws.
 */
export function toCharge(
  targets: readonly (readonly Field[])[],
  cells: readonly Cell[],
  { constants, defaults, otherProviders }: ChargeTemplate,
): Converted {
  const charge = Charge.fromPartial({});
  const draft: Draft = { charge, otherProviders, counts: new Set(), emptyCounts: [] };
  const violations: FieldViolation[] = [];
  const read = (field: Field, cell: string | Unusable): void => {
    const fail: Fail = (rule, description) => violations.push({ field: field.path, description, rule });
    if (cell instanceof Unusable) fail('import.type', `is ${cell.what}, not a single value`);
    else if (!cell.isWellFormed()) fail('import.text', 'is not well-formed Unicode');
    else field.read(draft, cell, fail);
  };
  for (const [field, value] of constants) read(field, value);
  targets.forEach((fields, index) => {
    const cell = cells[index];
    if (cell !== undefined) for (const field of fields) read(field, cell);
  });
  fillDefaults(charge, defaults);
  if (charge.chargeType === ChargeType.CHARGE_TYPE_COMPLETION) violations.push(...missingCounts(draft));
  return violations.length > 0 ? { violations } : { charge, requestId: draft.requestId };
}

function fillDefaults(charge: Charge, defaults: Defaults): void {
  if (charge.userProfile === '') charge.userProfile = defaults.user_profile ?? '';
  if (charge.chargeType === 0) charge.chargeType = defaults.charge_type ?? 0;
  if (charge.provider === 0 && defaults.provider !== undefined) {
    charge.provider = defaults.provider;
    if (charge.otherProvider === '') charge.otherProvider = defaults.other_provider ?? '';
  }
  if (charge.model === '' && charge.chargeType === ChargeType.CHARGE_TYPE_COMPLETION) {
    charge.model = defaults.model ?? '';
  }
}

/** A completion whose tokens nobody wrote down must not become a completion that used none. */
function missingCounts({ counts, emptyCounts }: Draft): FieldViolation[] {
  if (counts.size === 0) return [NO_COUNTS];
  const description = 'is empty: write 0 for a completion that used none';
  return emptyCounts.map((name) => ({ field: `charge.${name}`, description, rule: 'import.count' }));
}
