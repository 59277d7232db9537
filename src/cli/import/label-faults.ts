/** Columns that cannot become labels. Without this, every row of the file would be rejected for them. */

import type { ColumnRules } from './columns.ts';
import { ColumnPlanner } from './convert-rows.ts';
import { Unusable } from './row.ts';
import type { Sample } from './sample.ts';

const LABELS_MAX = 16;
const LABEL_KEY_MAX = 63;
const LABEL_VALUE_MAX = 255;
const CHOOSE = 'choose the columns with --labels A,B';

/** What is wrong with the labels of the first rows, or of the header if there is no row. At most one line. */
export function labelFaults({ columns, rows }: Sample, rules: ColumnRules): string[] {
  if (rules.labels === undefined) return [];
  const planner = new ColumnPlanner(rules);
  const labelsOf = (some: readonly string[]) =>
    planner.of(some).plan.assignments.filter(({ field }) => field.name.startsWith('label.'));
  const usage = rows.filter((row) => row.fault === undefined && planner.isUsage(row));
  for (const some of usage.length > 0 ? usage.map((row) => row.columns) : [columns]) {
    const keys = labelsOf(some).map(({ field }) => keyOf(field.name));
    if (keys.length > LABELS_MAX)
      return [
        `--labels: ${keys.length} columns would become labels, and a charge has at most ${LABELS_MAX}; ${CHOOSE}: ${keys.join(', ')}`,
      ];
    const long = keys.filter((key) => [...key].length > LABEL_KEY_MAX);
    if (long.length > 0)
      return [
        `--labels: a key has at most ${LABEL_KEY_MAX} characters, and ${long.join(', ')} has more; ${CHOOSE}`,
      ];
  }
  const unfit = new Set<string>();
  for (const { columns: some, cells } of usage)
    for (const { field, choices } of labelsOf(some)) {
      const cell = cells[choices[0]?.[0] ?? -1];
      if (cell instanceof Unusable || (cell !== undefined && [...cell].length > LABEL_VALUE_MAX))
        unfit.add(keyOf(field.name));
    }
  if (unfit.size === 0) return [];
  return [
    `--labels: a label is one value of at most ${LABEL_VALUE_MAX} characters, and ${[...unfit].join(', ')} has more; ${CHOOSE}`,
  ];
}

function keyOf(label: string): string {
  return label.replace(/^label\./, '');
}
