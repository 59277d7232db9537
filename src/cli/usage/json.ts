/** `--json`: one JSON object. Each row has a line of its own, and the last field says whether all are there. */

import type { Money } from '../../../generated/charge/v1/money.ts';
import type { UsageRow } from '../../../generated/charge/v1/usage_service.ts';
import type { Timestamp } from '../../../generated/google/protobuf/timestamp.ts';
import { decimalText } from '../money.ts';
import { columnOf } from '../prices/kinds.ts';
import { failureOf } from '../session.ts';
import { COUNTS, DETAILS, type Count } from './counts.ts';
import type { Output } from './output.ts';
import type { QuestionOptions } from './question-flags.ts';
import { isByTime, type Question } from './question.ts';
import { zonedText } from './zone.ts';

/** JavaScript's own, which TypeScript's library does not declare yet. */
const { rawJSON } = JSON as unknown as { rawJSON: (text: string) => unknown };

/** Prints the document. A failure while rows are read ends it in order, and then rejects. */
export async function printJson(
  question: Question,
  rows: AsyncIterable<UsageRow>,
  output: Output,
): Promise<void> {
  const head = textOf(headOf(question));
  await output.write(`${head.slice(0, -1)},\n"rows":[`);
  let separator = '\n';
  try {
    for await (const row of rows) {
      if (!(await output.write(separator + textOf(rowOf(question.options, row))))) return;
      separator = ',\n';
    }
  } catch (error) {
    const { interrupt } = question.session;
    const status = interrupt.aborted ? 'interrupted' : (failureOf(error)?.status ?? 'aborted');
    await output.write(`\n],${textOf({ status, error: (error as Error).message }).slice(1)}\n`);
    throw error;
  }
  await output.write(`\n],"status":"done"}\n`);
}

function headOf({ options, asOf, total, measure, currency }: Question): object {
  const { dimensions, window, range, zone } = options;
  return {
    as_of_sequence: String(asOf),
    start_time: timeOf(range.from, options),
    end_time: timeOf(range.to, options),
    time_zone: zone,
    group_by: dimensions.map(({ name }) => name),
    window: window ?? null,
    order_by: isByTime(options) ? 'window' : measure.name,
    currency_code: measure.amounts ? currency : null,
    total: rowOf({ ...options, dimensions: [] }, total),
  };
}

/** A row with every digit: counts are numbers, amounts are texts. */
export function rowOf(options: QuestionOptions, row: UsageRow): object {
  const { group } = row;
  return {
    window_start: timeOf(row.windowStart, options),
    window_end: timeOf(row.windowEnd, options),
    group: group
      ? Object.fromEntries(options.dimensions.flatMap((dimension) => Object.entries(dimension.fields(group))))
      : {},
    ...countsOf(COUNTS, row),
    token_details: countsOf(DETAILS, row),
    quantities: row.quantities.map(({ kind, amount }) => ({ kind: columnOf(kind), amount })),
    costs: row.costs.map(moneyOf),
    reported_costs: row.reportedCosts.map(moneyOf),
  };
}

function countsOf(counts: Readonly<Record<string, Count>>, row: UsageRow): object {
  return Object.fromEntries(Object.entries(counts).map(([name, count]) => [name, count(row)]));
}

/** With the offset of the zone; null: the range is open. */
function timeOf(time: Timestamp | undefined, { zone }: QuestionOptions): string | null {
  return time ? zonedText(time, zone) : null;
}

/** Nanos are a text, because they may exceed 2^53. */
function moneyOf({ currencyCode, nanos }: Money): object {
  return { currency_code: currencyCode, amount: decimalText(nanos, 9), nanos: String(nanos) };
}

/** JSON on one line, in which every digit of a bigint is there. */
export function textOf(value: object): string {
  return JSON.stringify(value, (_key, part: unknown) =>
    typeof part === 'bigint' ? rawJSON(String(part)) : part,
  );
}
