/** What sums in a file say about its rows. */

import { simplify } from './aliases.ts';
import type { ColumnRules } from './columns.ts';
import type { Preview } from './preview.ts';
import type { Row } from './row.ts';
import { parseCount } from './values.ts';

/** A total that is larger than the two counts says that some tokens of the row are not in them. */
export function largerTotals({ requests, rows }: Preview): string[] {
  const larger = requests.flatMap(({ charge }) =>
    charge && charge.totalTokens > charge.promptTokens + charge.completionTokens ? [charge] : [],
  );
  const [first] = larger;
  if (!first) return [];
  const { totalTokens: total, promptTokens: prompt, completionTokens: completion } = first;
  return [
    `${larger.length} of the first ${rows} rows have a total that is larger than their counts, ` +
      `the first one ${total} with ${prompt} prompt and ${completion} completion tokens: tokens of another column ` +
      'may be missing; --map prompt_tokens=A+B or --map completion_tokens=A+B adds them',
  ];
}

/** Names of a column with a number of calls, simplified. */
const CALLS =
  /^(?:total|num|numberof|n)?(?:model|api|llm)?(?:requests|calls|generations)(?:count)?$|^(?:request|call|generation)count$/;

/** A row that counts calls is a sum. Its counts grow, and then they no longer identify it. */
export function sumsWithoutId(unknown: ReadonlyMap<string, Row[]>, { idColumns }: ColumnRules): string[] {
  const countsCalls = ([column, rows]: [string, Row[]]): boolean =>
    CALLS.test(simplify(column)) &&
    rows.some(({ columns, cells }) => {
      const cell = cells[columns.indexOf(column)];
      const calls = typeof cell === 'string' ? parseCount(cell.trim()) : 0n;
      return typeof calls === 'bigint' && calls > 1n;
    });
  const found = idColumns.length > 0 ? undefined : [...unknown].find(countsCalls);
  if (!found) return [];
  return [
    `column ${found[0]} counts calls, so a row is the sum of several. If the row of a day grows and is imported again, it would be ` +
      'charged in addition: --request-id-column A+B names the columns that tell the sums apart, such as day, user and model, ' +
      'and a row that grew is then rejected',
  ];
}
