/** Decides where the request ids of an import come from. */

import { UsageError } from '../command.ts';
import { namedColumns, planColumns, type ColumnRules } from './columns.ts';
import { idCandidate, surveyIds, type IdSurvey } from './event-ids.ts';
import type { Sample } from './sample.ts';
import { openRowsOf, type Source } from './source.ts';

/** The decision, with what a person is told about it. */
export interface ChosenIds {
  /** Columns that together are the request id. Empty: the content of the row is. */
  readonly columns: readonly string[];
  readonly text: string;
  readonly survey?: IdSurvey;
  readonly notes: readonly string[];
  readonly doubts: readonly string[];
}

const CONTENT: ChosenIds = {
  columns: [],
  text: 'the content of each row: time, user, model and counts, and its number among equal rows',
  notes: [],
  doubts: [],
};

/**
 * Decides where the request ids come from. It reads the whole file if a column may hold them. Rejects with a
 * {@link UsageError} if that fails.
 */
export async function chooseIds(
  source: Source,
  sample: Sample,
  rules: ColumnRules,
  signal: AbortSignal,
): Promise<ChosenIds> {
  const { requestIdColumn } = source.options;
  const columns =
    requestIdColumn === undefined
      ? await idCandidate(sample, rules)
      : namedColumns(requestIdColumn, sample.columns);
  const withIds = { ...rules, idColumns: columns };
  const { id } = planColumns(sample.columns, withIds);
  if (sample.rows.length === 0 || id.flat().length === 0)
    return { ...CONTENT, columns: requestIdColumn === undefined ? [] : columns };
  const survey = await surveyFile(source, withIds, signal);
  return decide(
    survey,
    columns.filter((_, index) => id[index]?.length !== 0),
    columns,
    requestIdColumn !== undefined,
  );
}

async function surveyFile(source: Source, rules: ColumnRules, signal: AbortSignal): Promise<IdSurvey> {
  const file = await openRowsOf(source, signal, rules.layout);
  try {
    return await surveyIds(file.rows, rules);
  } catch (error) {
    if (signal.aborted) throw error;
    throw new UsageError([`${source.options.file}: ${(error as Error).message}`]);
  } finally {
    file.close();
  }
}

/** `found`: those of the columns that are there. `isFlag`: a person has named the column. */
function decide(
  survey: IdSurvey,
  found: readonly string[],
  columns: readonly string[],
  isFlag: boolean,
): ChosenIds {
  const { rows, withoutId, clashes, firstClash, repeated } = survey;
  const name = found.length === 1 ? `column ${found.join()}` : `columns ${found.join(' + ')}`;
  if (!isFlag) {
    if (rows === withoutId) return CONTENT;
    const flag = `--request-id-column ${found[0]}`;
    if (survey.isSmallNumbers)
      return {
        ...CONTENT,
        notes: [`${name} has short numbers, which other files may have for other events; ${flag} uses them`],
      };
    if (clashes > 0) {
      const text =
        `${name}: ${clashes} rows, the first in line ${firstClash}, have the id of an earlier row and other content, ` +
        'so the content of each row identifies it' +
        (repeated > 0 ? `, and ${repeated} rows that repeat an earlier row are charged as often` : '');
      // Buckets of a report, and a column that most rows share, are no ids that somebody would miss.
      const isNoId = columns.length > 1 || clashes * 2 > rows;
      return isNoId
        ? { ...CONTENT, notes: [text] }
        : { ...CONTENT, doubts: [`${text}; ${flag} uses the ids and rejects these rows`] };
    }
  }
  const notes = [
    ...(withoutId > 0 ? [`${withoutId} rows have no id in ${name}: their content identifies them`] : []),
    ...(repeated > 0 ? [`${repeated} rows repeat the id of an earlier row: each event is charged once`] : []),
    ...(clashes > 0
      ? [
          `${clashes} rows, the first in line ${firstClash}, have the id of an earlier row and other content: they will be rejected`,
        ]
      : []),
  ];
  return { columns, text: name, survey, notes, doubts: [] };
}
