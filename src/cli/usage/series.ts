/** What the sparklines of some groups show. */

import pLimit from 'p-limit';
import type { UsageRow } from '../../../generated/charge/v1/usage_service.ts';
import { microsOf } from '../time.ts';
import { filterOf, groupKey } from './dimensions.ts';
import { queryOf, rowsOf, type Question } from './question.ts';

/** Questions at a time. */
const IN_FLIGHT_MAX = 4;

/** The measure over time, by group. */
export interface Series {
  /** Windows that share a mark. */
  readonly windowsPerMark: number;
  /** Of everything. */
  readonly total: readonly bigint[];
  /** Of the group with this key. Empty: it was not asked for. */
  of(key: string): readonly bigint[];
}

/**
 * The measure of each group and each window. `windows`: one row for each window, in order. `isComplete`: there are no
 * other groups. Windows are added up so that there are at most `marksMax` sums.
 */
export async function readSeries(
  question: Question,
  windows: readonly UsageRow[],
  groups: readonly UsageRow[],
  isComplete: boolean,
  marksMax: number,
): Promise<Series> {
  const { options, measure, currency } = question;
  const windowsPerMark = Math.ceil(windows.length / marksMax);
  const marks = Math.ceil(windows.length / windowsPerMark);
  const markOf = new Map(
    windows.map((row, index) => [startOf(row), Math.floor(index / windowsPerMark)] as const),
  );
  const zeros = (): bigint[] => new Array<bigint>(marks).fill(0n);
  const series = new Map(groups.map(({ group }) => [keyOf(group), zeros()]));
  const add = (sums: bigint[] | undefined, row: UsageRow): void => {
    const mark = markOf.get(startOf(row));
    if (sums && mark !== undefined) sums[mark] = (sums[mark] ?? 0n) + measure.value(row, currency);
  };
  function keyOf(group: UsageRow['group']): string {
    return group ? groupKey(options.dimensions, group) : '';
  }
  const total = zeros();
  for (const row of windows) add(total, row);
  const filters = groups.map(({ group }) => group && filterOf(options.dimensions, group, options.filter));
  const everyGroup = { groups: true, windows: true };
  if (isComplete || filters.some((filter) => !filter)) {
    for await (const row of rowsOf(question, queryOf(question, everyGroup)))
      add(series.get(keyOf(row.group)), row);
  } else {
    // The groups that are not shown may be thousands of times as many.
    const limit = pLimit(IN_FLIGHT_MAX);
    const read = async (filter: (typeof filters)[number]): Promise<void> => {
      if (!filter) return;
      for await (const row of rowsOf(question, queryOf(question, { ...everyGroup, filter })))
        add(series.get(keyOf(row.group)), row);
    };
    await Promise.all(filters.map((filter) => limit(read, filter)));
  }
  return { windowsPerMark, total, of: (key) => series.get(key) ?? [] };
}

function startOf({ windowStart }: UsageRow): bigint {
  return windowStart ? microsOf(windowStart) : 0n;
}
