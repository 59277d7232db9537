/** From flags and the first row to everything that an import decides before it sends anything. */

import {
  ChargeType,
  chargeTypeToJSON,
  Provider,
  providerToJSON,
} from '../../../generated/charge/v1/charge.ts';
import { cautionAbout, planColumns, type ColumnPlan, type ColumnRules } from './columns.ts';
import { nameOf } from './fields.ts';
import { UsageError, type ImportOptions } from './options.ts';
import { toCharge, type ChargeTemplate, type Defaults } from './to-charge.ts';

/** What was decided. */
export interface ImportPlan {
  readonly rules: ColumnRules;
  readonly columns: ColumnPlan;
  readonly template: ChargeTemplate;
  /** For people, before the first row is sent. */
  readonly announcement: readonly string[];
  readonly warnings: readonly string[];
}

/**
 * Plans an import from the columns of the header (CSV, TSV) or of the first object (NDJSON). Throws
 * a {@link UsageError} with every fault that can be seen before a row is sent.
 */
export function planImport(names: readonly string[], options: ImportOptions): ImportPlan {
  const constants = new Set(options.constants.map(([target]) => nameOf(target)));
  const rules: ColumnRules = {
    map: options.map,
    constants,
    requestIdColumn: options.requestIdColumn,
    unknownAsLabels: options.unknownAsLabels,
  };
  const columns = planColumns(names, rules);
  const known = (field: string): boolean => columns.fields.has(field) || constants.has(field);
  const defaults = defaultsFor(known);
  const template: ChargeTemplate = {
    constants: options.constants,
    defaults,
    otherProviders: options.otherProviders,
  };
  const faults = [...columnFaults(columns, names, options), ...constantFaults(template)];
  if (options.format !== 'ndjson' && isCompletionWithoutCounts(known, template)) {
    faults.push(
      `no column holds token counts: name one with --map prompt_tokens=COLUMN; ${columnsAre(names)}`,
    );
  }
  if (faults.length > 0) throw new UsageError(faults);
  return {
    rules,
    columns,
    template,
    announcement: announce(names, columns, template),
    warnings: warn(columns, known, options),
  };
}

function defaultsFor(known: (field: string) => boolean): Defaults {
  return {
    ...(known('user_profile') ? {} : { user_profile: 'import' }),
    ...(known('provider') ? {} : { provider: Provider.PROVIDER_OTHER }),
    ...(known('provider') || known('other_provider') ? {} : { other_provider: 'unknown' }),
    ...(known('charge_type') ? {} : { charge_type: ChargeType.CHARGE_TYPE_COMPLETION }),
    ...(known('model') ? {} : { model: 'unknown' }),
  };
}

function columnFaults(columns: ColumnPlan, names: readonly string[], options: ImportOptions): string[] {
  // Another object of an NDJSON file may have what the first one lacks.
  if (options.format === 'ndjson') return [];
  return columns.missing.map((column) => `there is no column ${column}; ${columnsAre(names)}`);
}

function constantFaults(template: ChargeTemplate): string[] {
  const result = toCharge([], [], template);
  if (!('violations' in result)) return [];
  const faults = result.violations.filter(
    ({ description }) => description !== 'the row has no token count at all',
  );
  return faults.map(({ field, description }) => `--set: ${field.replace(/^charge\./, '')} ${description}`);
}

function isCompletionWithoutCounts(known: (field: string) => boolean, template: ChargeTemplate): boolean {
  if (known('prompt_tokens') || known('completion_tokens') || known('total_tokens')) return false;
  const result = toCharge([], [], template);
  return 'violations' in result && result.violations.some(({ field }) => field === 'charge.prompt_tokens');
}

function columnsAre(names: readonly string[]): string {
  return names.length === 0 ? 'the file has none' : `the columns are ${names.join(', ')}`;
}

function announce(
  names: readonly string[],
  plan: ColumnPlan,
  { constants, defaults }: ChargeTemplate,
): string[] {
  const columns = names.flatMap((name, index) =>
    (plan.targets[index] ?? []).map((target) => describe(name, nameOf(target))),
  );
  const values = [
    ...constants.map(([target, value]) => `${nameOf(target)}=${value}`),
    ...(Object.entries(defaults) as [string, string | number][]).map(
      ([field, value]) => `${field}=${nameOfDefault(field, value)} (default)`,
    ),
  ];
  return [
    `  columns:   ${columns.join(', ') || 'none'}`,
    `  constants: ${values.join(', ') || 'none'}`,
    ...(plan.serverSet.length > 0
      ? [`  left out:  ${plan.serverSet.join(', ')} (the service sets its own)`]
      : []),
  ];
}

function describe(column: string, field: string): string {
  return column === field ? field : `${column} → ${field}`;
}

function nameOfDefault(field: string, value: string | number): string {
  if (typeof value === 'string') return value;
  return field === 'provider' ? providerToJSON(value as Provider) : chargeTypeToJSON(value as ChargeType);
}

function warn(plan: ColumnPlan, known: (field: string) => boolean, options: ImportOptions): string[] {
  const warnings = unknownColumnWarnings(plan.unknown);
  if (!known('usage_time')) {
    warnings.push('no column holds the time of usage: the service will record the moment of this import');
  }
  const isNamed =
    options.sourceName !== undefined || options.fileId !== undefined || options.requestIdColumn !== undefined;
  if (!isNamed && !plan.fields.has('usage_time') && !plan.fields.has('reference')) {
    warnings.push(
      'rows have neither time nor reference: a different file that begins with the same header and first row ' +
        'would be taken for this one; --source-name NAME tells them apart',
    );
  }
  return warnings;
}

/** Warnings about columns that are not recorded, each named. */
export function unknownColumnWarnings(unknown: readonly string[]): string[] {
  if (unknown.length === 0) return [];
  const cautions = unknown.map(cautionAbout).filter((caution) => caution !== undefined);
  return [
    `columns that fill no field and are not recorded: ${unknown.join(', ')} (--map FIELD=COLUMN, or --labels)`,
    ...cautions,
  ];
}
