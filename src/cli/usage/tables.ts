/** The tables of a report: which rows and columns they have. */

import type { UsageRow } from '../../../generated/charge/v1/usage_service.ts';
import { group } from '../progress.ts';
import { barColumn, groupColumns, sumColumns, type Shown } from './columns.ts';
import { groupKey } from './dimensions.ts';
import { sparkline } from './marks.ts';
import { TABLE_ROWS_MAX } from './options.ts';
import { isByTime, queryOf, queryOfRows, rowsOf, type Question } from './question.ts';
import { readSeries, type Series } from './series.ts';
import { without } from './sums.ts';
import { MARKS_MIN, roomForMarks, type Column } from './table.ts';
import { windowText } from './windows.ts';
import { zoned } from './zone.ts';

/** Groups that a table has without `--limit`, and rows of groups and windows. */
const GROUPS_SHOWN = 20;
const ROWS_SHOWN = 50;
const MARKS_MAX = 48;
/** `2026-11-01 00:00 +01:00` is never cut. */
const TIME_WIDTH = 23;

/** A table before it is laid out. */
export interface Table {
  readonly columns: readonly Column[];
  readonly shown: readonly Shown[];
  readonly notes: readonly string[];
  /** The rows follow each other by time, not by what is compared. */
  readonly isByTime: boolean;
}

/** A row for each row of the answer, with a bar. */
export async function plainRows(question: Question): Promise<Table> {
  const { options } = question;
  const { dimensions, window } = options;
  const most = window === undefined ? GROUPS_SHOWN : ROWS_SHOWN;
  const limit = options.limit ?? (dimensions.length > 0 ? most : TABLE_ROWS_MAX);
  const { shown, notes } = await firstRows(
    question,
    rowsOf(question, queryOfRows(question), limit + 1),
    limit,
  );
  const columns = [
    ...(window === undefined ? [] : [windowColumn(question, shown)]),
    ...groupColumns(dimensions, shown, window === undefined),
    ...sumColumns(question, shown),
    barColumn(question, shown),
  ];
  return { columns, shown, notes, isByTime: isByTime(options) };
}

/** A row for each group, with a sparkline over the windows. */
export async function sparklines(
  question: Question,
  windows: readonly UsageRow[],
  width: number,
): Promise<Table> {
  const { options, measure } = question;
  const limit = options.limit ?? GROUPS_SHOWN;
  const query = queryOf(question, { groups: true, order: measure });
  const { shown, groups, isMore, notes } = await firstRows(
    question,
    rowsOf(question, query, limit + 1),
    limit,
  );
  const names = groupColumns(options.dimensions, shown, true);
  const sums = sumColumns(question, shown);
  const room = roomForMarks([...names, ...sums], shown.length, width);
  if (room < MARKS_MIN) return { columns: [...names, ...sums], shown, notes, isByTime: false };
  const series = await readSeries(question, windows, groups, !isMore, Math.min(room, MARKS_MAX));
  const column = sparklineColumn(question, series, shown);
  const over = `${column.title}: ${measureText(question)} ${spanText(question, series)}, each row to its own scale.`;
  return { columns: [...names, column, ...sums], shown, notes: [...notes, over], isByTime: false };
}

function sparklineColumn({ options }: Question, series: Series, shown: readonly Shown[]): Column {
  const marks = shown.map(({ row, title }) => {
    if (title === 'Total') return sparkline(series.total);
    if (!row.group || title !== undefined) return '';
    return sparkline(series.of(groupKey(options.dimensions, row.group)));
  });
  const width = series.total.length;
  return { title: 'TREND', kind: 'marks', widthMin: width, widthMax: width, cell: (row) => marks[row] ?? '' };
}

/** `per day`, `per 2 days`. */
function spanText({ options }: Question, { windowsPerMark: count }: Series): string {
  if (options.window === '15m') return `per ${15 * count} minutes`;
  return count === 1 ? `per ${options.window}` : `per ${count} ${options.window}s`;
}

/** The first rows, what the others add up to, and the total. `groups`: the rows without these two. */
async function firstRows(question: Question, rows: AsyncIterable<UsageRow>, limit: number) {
  const groups: UsageRow[] = [];
  let isMore = false;
  for await (const row of rows) {
    if (groups.length < limit) groups.push(row);
    else isMore = true;
  }
  const shown: Shown[] = groups.map((row) => ({ row }));
  if (isMore) shown.push({ row: without(question.total, groups), title: '(all others)' });
  shown.push({ row: question.total, title: 'Total' });
  const notes = isMore ? [`Only the first ${group(limit)} rows are shown; --limit shows more.`] : [];
  return { shown, groups, isMore, notes };
}

/** One row for each window of the range. */
export async function windowsOf(question: Question): Promise<UsageRow[]> {
  const windows: UsageRow[] = [];
  for await (const row of rowsOf(question, queryOf(question, { windows: true, fill: true })))
    windows.push(row);
  return windows;
}

function windowColumn({ options }: Question, shown: readonly Shown[]): Column {
  const { range, zone, window } = options;
  const [first, last] = [range.from, range.to].map((time) => time && zoned(time, zone).offset);
  return {
    title: (window ?? '').toUpperCase(),
    kind: 'name',
    widthMin: TIME_WIDTH,
    cell: (number) => {
      const { row, title } = shown[number] ?? {};
      if (title !== undefined) return title;
      return row?.windowStart ? windowText(row.windowStart, window, zone, first !== last) : '';
    },
  };
}

/** What is compared, for people: `cost in USD`. */
export function measureText({ measure, currency }: Question): string {
  return measure.amounts ? `${measure.text} in ${currency}` : measure.text;
}
