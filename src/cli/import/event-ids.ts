/** Finds out whether a column holds an id for each event, by reading the whole file. */

import { Readable } from 'node:stream';
import { ID_ALIASES, simplify } from './aliases.ts';
import { ColumnPlanner } from './convert-rows.ts';
import { idInRow, numberOf, NumberTable } from './identity.ts';
import type { ColumnRules } from './columns.ts';
import type { Row } from './row.ts';
import type { Sample } from './sample.ts';

/** What the rows of a file say about its ids. */
export interface IdSurvey {
  /** Rows that are usage and can be read. */
  readonly rows: number;
  readonly withoutId: number;
  /** Rows that repeat an earlier row of the same id and content. */
  readonly repeated: number;
  /** Rows that have the id of an earlier row and other content. */
  readonly clashes: number;
  /** Line of the first of {@link clashes}. */
  readonly firstClash: number | undefined;
  /** Every id is a number of up to 9 digits, as another file may have it for other events. */
  readonly isSmallNumbers: boolean;
  /** If the layout says which line of an event counts: its row number by the id. */
  readonly counted: NumberTable | undefined;
}

/**
 * The columns that may hold the id: what the layout says, or of those with the usual name of an id the first
 * that has ids in the first rows, best one for each row.
 */
export async function idCandidate({ columns, rows }: Sample, rules: ColumnRules): Promise<readonly string[]> {
  if (rules.layout?.id) return rules.layout.id;
  let second: readonly string[] = [];
  for (const alias of ID_ALIASES) {
    const idColumns = columns.filter((column) => simplify(column) === alias).slice(0, 1);
    if (idColumns.length === 0) continue;
    const survey = await surveyIds(Readable.from(rows) as AsyncIterable<Row>, { ...rules, idColumns });
    if (survey.rows === survey.withoutId) continue;
    if (survey.clashes === 0) return idColumns;
    if (second.length === 0) second = idColumns;
  }
  return second;
}

/** Reads every row. Memory: up to 64 bytes for each id. Rejects with an Error if there are too many. */
export async function surveyIds(rows: AsyncIterable<Row>, rules: ColumnRules): Promise<IdSurvey> {
  const planner = new ColumnPlanner(rules);
  const contents = new NumberTable();
  const { repeated: which } = rules.layout ?? {};
  const result = {
    rows: 0,
    withoutId: 0,
    repeated: 0,
    clashes: 0,
    firstClash: undefined as number | undefined,
  };
  let isSmallNumbers = true;
  let rowNumber = 0;
  for await (const row of rows) {
    rowNumber += 1;
    if (row.fault !== undefined || !planner.isUsage(row)) continue;
    result.rows += 1;
    const { plan } = planner.of(row.columns);
    const id = idInRow(plan, row.cells);
    if (id === undefined) {
      result.withoutId += 1;
      continue;
    }
    isSmallNumbers &&= /^\d{1,9}$/.test(id);
    const before = contents.get(id);
    if (which !== undefined) {
      if (which === 'last' || before === undefined) contents.set(id, rowNumber);
      result.repeated += before === undefined ? 0 : 1;
      continue;
    }
    // Without labels: a flag about them must not change what identifies a row.
    const facts = plan.assignments.filter(({ field }) => !field.name.startsWith('label.'));
    const columns = facts.flatMap(({ choices }) => choices.flat());
    const content = numberOf(JSON.stringify(columns.map((index) => row.cells[index] ?? null)));
    if (before === undefined) contents.set(id, content);
    else if (before === content) result.repeated += 1;
    else {
      result.clashes += 1;
      result.firstClash ??= row.line;
    }
  }
  return { ...result, isSmallNumbers, counted: which && contents };
}
