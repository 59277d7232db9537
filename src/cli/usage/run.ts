/** One run of `charge usage` or `charge top`. */

import { ChargeServiceService, ListChargesOrder } from '../../../generated/charge/v1/charge_service.ts';
import { EXIT } from '../command.ts';
import { hasFilter } from '../filter-flags.ts';
import { ALL_CHARGES } from '../lists.ts';
import { Refused, withSession, type Session } from '../session.ts';
import { microsOf } from '../time.ts';
import { printCsv } from './csv.ts';
import { printJson } from './json.ts';
import type { UsageOptions } from './options.ts';
import { Output } from './output.ts';
import { comparisonFault, openQuestion, queryOfRows, rowsOf, type Question } from './question.ts';
import { reportLines } from './report.ts';
import { clockText } from './zone.ts';

/** The width of what is not a terminal. */
const WIDTH = 100;

/** Shows what the options ask for, and returns the exit status. */
export function runUsage(options: UsageOptions, interrupt: AbortSignal): Promise<number> {
  const progress = { ...options, json: options.json ?? false };
  return withSession(progress, interrupt, async (session) => {
    const question = await openQuestion(options, session);
    const fault = comparisonFault(question);
    if (fault !== undefined) process.stderr.write(`${fault}\n`);
    const output = new Output();
    try {
      if (options.json || options.csv) {
        // A document that has begun says itself how it ends.
        progress.json = false;
        const rows = rowsOf(question, queryOfRows(question), options.limit);
        await (options.json ? printJson : printCsv)(question, rows, output);
      } else await output.write(`${(await textOf(question)).join('\n')}\n`);
    } finally {
      await output.flush();
    }
    return EXIT.ok;
  });
}

async function textOf(question: Question): Promise<readonly string[]> {
  const { options, session, total, asOf } = question;
  // Windows without charges were asked for, but without charges there are no groups to fill.
  const hasRows = total.charges > 0n || (options.fill && options.dimensions.length === 0);
  if (hasRows) return reportLines(question, process.stdout.columns || WIDTH);
  const { range, zone } = options;
  const from = range.from ? `from ${clockText(range.from, zone)} ` : '';
  const to = range.to ? `to ${clockText(range.to, zone)} ` : '';
  return [
    `No charges ${from}${to}(${zone})${hasFilter(options.filter) ? ' that the filters let through' : ''}.`,
    await newestText(session, options),
    `as of sequence ${asOf}`,
  ];
}

/** What to look at instead. The newest charge of all is found by one step in an index. */
async function newestText(session: Session, { zone, range }: UsageOptions): Promise<string> {
  const request = {
    pageSize: 1,
    pageToken: '',
    filter: ALL_CHARGES,
    order: ListChargesOrder.LIST_CHARGES_ORDER_NEWEST_FIRST,
    includeCorrected: false,
  };
  try {
    const { charges } = await session.call(ChargeServiceService.listCharges, request);
    const time = charges[0]?.usageTime;
    if (!time) return 'There are no charges at all. charge import FILE records the usage in a file.';
    const newest = clockText(time, zone).slice(0, 'YYYY-MM-DD HH:MM'.length);
    const isEarlier = range.from && microsOf(time) < microsOf(range.from);
    return `The newest charge of all is of ${newest}.${isEarlier ? ` Try --from ${newest.slice(0, 'YYYY-MM'.length)}-01.` : ''}`;
  } catch (error) {
    if (error instanceof Refused) return 'Try an earlier --from.';
    throw error;
  }
}
