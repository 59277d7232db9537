/** What stops an import before its first row, and what a person has to agree to. Every advice here is safe to follow. */

import { ChargeType, type Charge } from '../../../generated/charge/v1/charge.ts';
import type { ColumnPlan, ColumnRules } from './columns.ts';
import { ColumnPlanner } from './convert-rows.ts';
import { labelFaults } from './label-faults.ts';
import type { ImportOptions } from './options.ts';
import type { Preview } from './preview.ts';
import type { Row } from './row.ts';
import type { Sample } from './sample.ts';
import { largerTotals, sumsWithoutId } from './sum-doubts.ts';
import { toCharge, type ChargeTemplate } from './to-charge.ts';
import { parseChargeType } from './values.ts';

/** What the faults are found in. */
interface Decided {
  readonly sample: Sample;
  readonly columns: ColumnPlan;
  readonly rules: ColumnRules;
  readonly template: ChargeTemplate;
  readonly isKnown: (field: string) => boolean;
}

/** Everything because of which nothing can be sent, each as one line. */
export function faultsOf(decided: Decided): string[] {
  const { sample, columns, template } = decided;
  const list =
    sample.columns.length === 0 ? 'the file has none' : `the columns are ${sample.columns.join(', ')}`;
  const faults = [
    ...constantFaults(template),
    ...columns.missing.map((column) => `there is no column ${column}; ${list}`),
    ...labelFaults(sample, decided.rules),
  ];
  const [first] = sample.rows;
  if (first?.fault !== undefined && sample.columns.length === 0)
    return [...faults, `no row can be read; the first is in line ${first.line}: ${first.fault}`];
  const isEmpty = !first && sample.columns.length === 0;
  return isEmpty ? faults : [...faults, ...missingFields(decided, list)];
}

/** What is wrong with the values of `--set`, found by a charge that has nothing else. */
function constantFaults({ constants, otherProviders }: ChargeTemplate): string[] {
  const template = { constants, otherProviders, takesImportTime: true, takesInside: true };
  const result = toCharge(
    { assignments: [], places: { cache: 'inside', reasoning: 'inside' } },
    [],
    template,
  );
  const isSet = (field: string): boolean => constants.some(([{ path }]) => path === field);
  return 'violations' in result
    ? result.violations
        .filter(({ field }) => isSet(field))
        .map(({ field, description }) => `--set: ${field.replace(/^charge\./, '')} ${description}`)
    : [];
}

/** Counts, model and time that nothing gives. Charges of another type than completion need no counts and no model. */
function missingFields({ columns, template, isKnown }: Decided, list: string): string[] {
  const type = template.constants.find(([{ name }]) => name === 'charge_type')?.[1];
  const isCompletion =
    !columns.fields.has('charge_type') &&
    (type === undefined || parseChargeType(type) === ChargeType.CHARGE_TYPE_COMPLETION);
  const needed = isCompletion
    ? ['prompt_tokens', 'completion_tokens', 'model'].filter((name) => !isKnown(name))
    : [];
  const faults = needed.map((name) =>
    name === 'model'
      ? `no column holds the model: name it with --map model=COLUMN, or give one with --set model=NAME; ${list}`
      : `no column holds ${name}: name it with --map ${name}=COLUMN, or --map ${name}=A+B for a sum of columns; ` +
        `if there are none, --set ${name}=0 says so; ${list}`,
  );
  if ([...columns.fields].some((field) => field.startsWith('offset in ')) && !isKnown('usage_time'))
    faults.push('the times of this file count from 0: --set usage_time=TIME says when it began');
  return faults;
}

/** What the doubts are found in. */
interface Previewed extends Pick<Decided, 'sample' | 'columns' | 'rules' | 'isKnown'> {
  readonly preview: Preview;
  readonly options: ImportOptions;
}

/** `doubts` need an agreement, `notes` only tell. */
export function doubtsAbout(plan: Previewed): { doubts: string[]; notes: string[] } {
  const { sample, columns, rules, preview, isKnown, options } = plan;
  const doubts: string[] = [];
  const notes: string[] = [];
  if (sample.rows.length === 0) return { doubts, notes: ['the file is empty: it has no rows'] };
  if (!isKnown('usage_time'))
    doubts.push(
      'no column holds the time of usage, so the service would record the time of this import: ' +
        '--map usage_time=COLUMN or --set usage_time=TIME gives another one',
    );
  doubts.push(...unsettledDoubts(plan));
  const unknown = unrecordedColumns(sample, rules, columns);
  const tokens = [...unknown]
    .filter(([column, rows]) => isLikeTokens(column, rows))
    .map(([column]) => column);
  const isDoubtful = tokens.length > 0 && !rules.layout && !totalsConfirm(preview);
  if (isDoubtful)
    doubts.push(
      `columns that look like token counts and are not recorded: ${tokens.join(', ')}; ` +
        'if a count does not include one, --map prompt_tokens=A+B adds it; if it does, --map FIELD=COLUMN records it as a part',
    );
  doubts.push(...largerTotals(preview), ...sumsWithoutId(unknown, rules));
  const others = [...unknown.keys()].filter((column) => !isDoubtful || !tokens.includes(column));
  if (others.length > 0)
    notes.push(
      `columns that are not recorded: ${others.join(', ')}; --map FIELD=COLUMN or --labels A,B records them`,
    );
  if (preview.roundedCosts > 0)
    notes.push(
      'reported costs with more than 9 decimals are rounded to billionths, a half to the even neighbour',
    );
  if (rules.notGuessed?.size)
    notes.push(`no value fits, so no column was guessed for: ${[...rules.notGuessed].join(', ')}`);
  for (const [{ name }] of options.constants)
    if (columns.fields.has(name)) notes.push(`--set ${name} is used only where its column is empty`);
  return { doubts, notes };
}

function unsettledDoubts({ preview, columns, sample }: Previewed): string[] {
  const columnOf = (name: string): string => {
    const index = columns.assignments.find(({ field }) => field.name === name)?.choices[0]?.[0] ?? -1;
    return sample.columns[index] ?? '';
  };
  const advice = (count: string, parts: readonly string[]): string => {
    const names = parts.map(columnOf).filter((column) => column !== '');
    const column = columnOf(count);
    return `if they are inside, --map ${count}="${column}" says so; if they stand beside it, --map ${count}="${[column, ...names].join('+')}" adds them up`;
  };
  const doubts: string[] = [];
  if (preview.unsettled.has('cache')) {
    const written = columns.fields.has('cache_write_tokens')
      ? ['cache_write_tokens']
      : ['token_details.cache_write_5m_tokens', 'token_details.cache_write_1h_tokens'];
    doubts.push(
      'nothing in the file says whether the cached tokens are inside the prompt tokens, and they would be taken to be inside: ' +
        advice('prompt_tokens', ['token_details.cache_read_tokens', ...written]),
    );
  }
  if (preview.unsettled.has('reasoning'))
    doubts.push(
      'nothing in the file says whether the reasoning tokens are inside the completion tokens, and they would be taken to be inside: ' +
        advice('completion_tokens', ['token_details.reasoning_tokens']),
    );
  return doubts;
}

/** Columns that fill no field, each with the rows that have it. Another object may have it for want of a better one. */
function unrecordedColumns(
  sample: Sample,
  rules: ColumnRules,
  columns: ColumnPlan,
): ReadonlyMap<string, Row[]> {
  const planner = new ColumnPlanner(rules);
  const found = new Map<string, Row[]>(columns.unknown.map((column) => [column, []]));
  for (const row of sample.rows)
    for (const column of planner.of(row.columns).plan.unknown) {
      const rows = found.get(column);
      if (rows) rows.push(row);
      else found.set(column, [row]);
    }
  return new Map([...found].filter(([column, rows]) => rows.length > 0 || !isUsed(sample, planner, column)));
}

/** Whether some row fills a field by this column, though it is not needed if all columns are there. */
function isUsed({ rows }: Sample, planner: ColumnPlanner, column: string): boolean {
  return rows.some(
    ({ columns }) => columns.includes(column) && !planner.of(columns).plan.unknown.includes(column),
  );
}

function isLikeTokens(column: string, rows: readonly Row[]): boolean {
  if (!/token|cache|reasoning|thinking/i.test(column)) return false;
  return rows.some(({ columns, cells }) => {
    const cell = cells[columns.indexOf(column)];
    return typeof cell === 'string' && /[1-9]/.test(cell) && /^[\d.,' ]+$/.test(cell.trim());
  });
}

/** Every charge has a total, and it is the sum of its counts: nothing is left out. */
function totalsConfirm({ requests }: Preview): boolean {
  const isSum = (charge: Charge | undefined): boolean =>
    charge !== undefined &&
    charge.totalTokens > 0n &&
    charge.totalTokens === charge.promptTokens + charge.completionTokens;
  return requests.length > 0 && requests.every(({ charge }) => isSum(charge));
}
