/** Everything that an import decides before it sends anything. */

import { UsageError } from '../command.ts';
import { chooseIds } from './choose-ids.ts';
import { layoutOf, planColumns, type ColumnRules } from './columns.ts';
import { doubtsAbout, faultsOf } from './doubts.ts';
import { layoutField, type Field } from './fields.ts';
import { LAYOUTS } from './layouts.ts';
import type { Layout } from './layouts/layout.ts';
import type { ImportOptions } from './options.ts';
import { planExact } from './plan-exact.ts';
import type { ImportPlan } from './planned.ts';
import { previewOf } from './preview.ts';
import { readSample, withCarried, type Sample } from './sample.ts';
import type { Source } from './source.ts';
import { parseChargeType, parseProvider } from './values.ts';

/**
 * Plans an import. It reads the whole file if a column may hold the ids of events. Rejects with a
 * {@link UsageError} with every fault that can be seen before a row is sent.
 */
export async function planImport(source: Source, signal: AbortSignal): Promise<ImportPlan> {
  const { options } = source;
  const read = await readSample(source, signal);
  const layout = layoutOf(read.columns, LAYOUTS);
  if (layout?.exact) return planExact(options, read, layout);
  const sample = await withCarried(read, layout);
  const guessed: ColumnRules = { map: options.map, labels: options.labels, layout, idColumns: [] };
  const notGuessed = unfitGuesses(sample, guessed, options);
  const base = { ...guessed, notGuessed };
  const ids = await chooseIds(source, sample, base, signal);
  const rules = { ...base, idColumns: ids.columns };
  const columns = planColumns(sample.columns, rules);
  const constants = withLayout(options.constants, layout);
  const isKnown = (field: string): boolean =>
    columns.fields.has(field) || constants.some(([{ name }]) => name === field);
  const takesImportTime = !isKnown('usage_time');
  const template = { constants, otherProviders: options.otherProviders, takesImportTime, takesInside: true };
  const faults = faultsOf({ sample, columns, rules, template, isKnown });
  if (faults.length > 0) throw new UsageError(faults);
  const counted = ids.survey?.counted;
  const { requestIdPrefix } = options;
  const preview = previewOf(sample.rows, { rules, template, counted, requestIdPrefix });
  const takesInside = preview.unsettled.size > 0;
  const conversion = { rules, template: { ...template, takesInside }, counted, requestIdPrefix };
  const { doubts, notes } = doubtsAbout({ sample, columns, rules, preview, isKnown, options });
  return {
    layout,
    sample,
    columns,
    conversion,
    preview,
    identity:
      requestIdPrefix === undefined ? ids.text : `${JSON.stringify(requestIdPrefix)}, then ${ids.text}`,
    notes: [...sample.notes, ...notes, ...ids.notes],
    doubts: [...doubts, ...ids.doubts],
  };
}

/** What a flag says goes before what the layout says. */
function withLayout(constants: ImportOptions['constants'], layout: Layout | undefined) {
  const added = Object.entries(layout?.set ?? {}).map(([name, value]): [Field, string] => [
    layoutField(name),
    value,
  ]);
  return [...constants, ...added.filter(([{ name }]) => !constants.some(([field]) => field.name === name))];
}

/** Enum fields whose guessed column has no value that fits. A column with the field's own name is no guess. */
function unfitGuesses(sample: Sample, rules: ColumnRules, options: ImportOptions): ReadonlySet<string> {
  const parsers = { provider: parseProvider, charge_type: parseChargeType } as const;
  const unfit = new Set<string>();
  for (const [name, parse] of Object.entries(parsers)) {
    const { assignments } = planColumns(sample.columns, rules);
    const index = assignments.find(({ field }) => field.name === name)?.choices[0]?.[0] ?? -1;
    const column = sample.columns[index];
    const isSaid = rules.map.some(([field]) => field.name === name) || name in (rules.layout?.fields ?? {});
    if (column === undefined || isSaid || column === name) continue;
    const values = sample.rows.map(({ columns, cells }) => cells[columns.indexOf(column)]);
    const texts = values.filter((value) => typeof value === 'string' && value.trim() !== '') as string[];
    if (name === 'provider' && options.otherProviders) continue;
    if (!texts.some((text) => parse(text) !== undefined)) unfit.add(name);
  }
  return unfit;
}
