/** Everything that an import decides, from the flags and the first row, before it sends anything. */

import {
  ChargeType,
  chargeTypeToJSON,
  Provider,
  providerToJSON,
} from '../../../generated/charge/v1/charge.ts';
import { UsageError } from '../command.ts';
import { cautionAbout, planColumns, type ColumnPlan } from './columns.ts';
import type { ImportOptions } from './options.ts';
import { NO_COUNTS, toCharge, type ChargeTemplate, type Defaults } from './to-charge.ts';

/** What was decided. */
export interface ImportPlan {
  readonly columns: ColumnPlan;
  readonly template: ChargeTemplate;
  /** Lines for people, printed before the first row is sent. */
  readonly announcement: readonly string[];
  readonly warnings: readonly string[];
}

/**
 * Plans an import from the columns of the header (CSV, TSV) or of the first object (NDJSON). Throws
 * a {@link UsageError} with every fault that can be seen before a row is sent.
 */
export function planImport(names: readonly string[], options: ImportOptions): ImportPlan {
  const columns = planColumns(names, options);
  const constants = options.constants.map(([{ name }]) => name);
  const isKnown = (field: string): boolean => columns.fields.has(field) || constants.includes(field);
  const template = { ...options, defaults: defaultsFor(isKnown) };
  const faults = [
    ...constantFaults(template),
    ...(options.format === 'ndjson' ? [] : headerFaults(names, columns, isKnown, template)),
  ];
  if (faults.length > 0) throw new UsageError(faults);
  const announcement = announce(names, columns, template);
  return { columns, template, announcement, warnings: warn(columns, isKnown, options) };
}

function defaultsFor(isKnown: (field: string) => boolean): Defaults {
  return {
    ...(isKnown('user_profile') ? {} : { user_profile: 'import' }),
    ...(isKnown('provider') ? {} : { provider: Provider.PROVIDER_OTHER }),
    ...(isKnown('provider') || isKnown('other_provider') ? {} : { other_provider: 'unknown' }),
    ...(isKnown('charge_type') ? {} : { charge_type: ChargeType.CHARGE_TYPE_COMPLETION }),
    ...(isKnown('model') ? {} : { model: 'unknown' }),
  };
}

/** What is wrong with a row that has no cells is wrong with the constants. */
function violationsOfTemplate(template: ChargeTemplate) {
  const result = toCharge([], [], template);
  return 'violations' in result ? result.violations : [];
}

function constantFaults(template: ChargeTemplate): string[] {
  return violationsOfTemplate(template)
    .filter((violation) => violation !== NO_COUNTS)
    .map(({ field, description }) => `--set: ${field.replace(/^charge\./, '')} ${description}`);
}

/** Not for NDJSON: another object may have what the first one lacks. */
function headerFaults(
  names: readonly string[],
  columns: ColumnPlan,
  isKnown: (field: string) => boolean,
  template: ChargeTemplate,
): string[] {
  const list = names.length === 0 ? 'the file has none' : `the columns are ${names.join(', ')}`;
  const faults = columns.missing.map((column) => `there is no column ${column}; ${list}`);
  const hasCounts = ['prompt_tokens', 'completion_tokens', 'total_tokens'].some(isKnown);
  if (!hasCounts && violationsOfTemplate(template).includes(NO_COUNTS))
    faults.push(`no column holds token counts: name one with --map prompt_tokens=COLUMN; ${list}`);
  return faults;
}

function announce(
  names: readonly string[],
  plan: ColumnPlan,
  { constants, defaults }: ChargeTemplate,
): string[] {
  const columns = names.flatMap((column, index) =>
    (plan.targets[index] ?? []).map(({ name }) => (column === name ? name : `${column} → ${name}`)),
  );
  const shown: Readonly<Record<string, string | undefined>> = {
    ...(defaults as Record<string, string>),
    ...(defaults.provider && { provider: providerToJSON(defaults.provider) }),
    ...(defaults.charge_type && { charge_type: chargeTypeToJSON(defaults.charge_type) }),
  };
  const values = [
    ...constants.map(([{ name }, value]) => `${name}=${value}`),
    ...Object.entries(shown).map(([field, value]) => `${field}=${value} (default)`),
  ];
  const leftOut = `  left out:  ${plan.serverSet.join(', ')} (the service sets its own)`;
  return [
    `  columns:   ${columns.join(', ') || 'none'}`,
    `  constants: ${values.join(', ') || 'none'}`,
    ...(plan.serverSet.length > 0 ? [leftOut] : []),
  ];
}

function warn(plan: ColumnPlan, isKnown: (field: string) => boolean, options: ImportOptions): string[] {
  const warnings = unknownColumnWarnings(plan.unknown);
  if (!isKnown('usage_time')) {
    warnings.push('no column holds the time of usage: the service will record the time of this import');
  }
  const isNamed = options.sourceName ?? options.fileId ?? options.requestIdColumn;
  if (isNamed === undefined && !plan.fields.has('usage_time') && !plan.fields.has('reference')) {
    warnings.push(
      'rows have neither a time nor a reference: another file with the same header and first row would be ' +
        'taken for this one; --source-name NAME tells them apart',
    );
  }
  return warnings;
}

/** Warnings about columns that are not recorded, each named. */
export function unknownColumnWarnings(unknown: readonly string[]): string[] {
  if (unknown.length === 0) return [];
  return [
    `columns that fill no field and are not recorded: ${unknown.join(', ')}; record them with --map FIELD=COLUMN or --labels`,
    ...unknown.map(cautionAbout).filter((caution) => caution !== undefined),
  ];
}
