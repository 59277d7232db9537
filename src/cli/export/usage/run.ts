/** One export of sums. */

import { UsageServiceService, type UsageRow } from '../../../../generated/charge/v1/usage_service.ts';
import { withSession, type Session } from '../../session.ts';
import { queryOf, readTotal } from '../../usage/question.ts';
import { writeParquet } from '../parquet.ts';
import { writeExport, type OpenFile } from '../write.ts';
import { usageColumns, usageFormat, type Answer } from './formats.ts';
import type { UsageExportOptions } from './options.ts';

/**
 * Runs an export, prints its summary, and returns the exit status. Rejects with a {@link UsageError} before anything
 * was written.
 */
export function runUsageExport(options: UsageExportOptions, interrupt: AbortSignal): Promise<number> {
  return withSession(options, interrupt, async (session) => {
    // The total tells the currencies, and with them the columns.
    const answer = { options, ...(await readTotal(options, session)) };
    const details = { as_of_sequence: String(answer.asOf) };
    // Sums are computed anew by each call, so that there is no place in them to go on at.
    const job = { options, interrupt, noun: 'rows', identity: undefined, details } as const;
    return writeExport(job, (file) => writeRows(options, answer, session, file));
  });
}

async function writeRows(
  { format: name }: UsageExportOptions,
  answer: Answer,
  session: Session,
  file: OpenFile,
): Promise<void> {
  const parts = readParts(answer, session, file);
  if (name === 'parquet')
    return writeParquet('usage', usageColumns(answer), rowsOf(parts), (bytes) => file.write(bytes));
  const format = usageFormat(name, answer);
  await file.write(format.head);
  for await (const rows of parts) await file.write(format.lines(rows));
}

/** The rows of the answer by time, as they arrive. */
async function* readParts(
  { options, asOf }: Answer,
  session: Session,
  { totals, progress }: OpenFile,
): AsyncGenerator<readonly UsageRow[]> {
  const { fill, window } = options;
  const query = queryOf({ options, asOf, currency: '' }, { groups: true, windows: true, fill });
  for await (const { rows } of session.stream(UsageServiceService.streamUsage, { query })) {
    totals.add(rows.length, window && rows.at(-1)?.windowStart);
    yield rows;
    progress.update(totals.count);
  }
}

async function* rowsOf(parts: AsyncIterable<readonly UsageRow[]>): AsyncGenerator<UsageRow> {
  for await (const rows of parts) yield* rows;
}
