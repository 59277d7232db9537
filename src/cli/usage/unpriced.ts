/** What a report says about charges without a cost. */

import type { Timestamp } from '../../../generated/google/protobuf/timestamp.ts';
import { commandLine } from '../command-line.ts';
import { hasFilter } from '../filter-flags.ts';
import { group } from '../progress.ts';
import { microsOf, timeText } from '../time.ts';
import type { Question } from './question.ts';
import { clockText } from './zone.ts';

/** Nothing without such charges. Prices are for charges that are still there, and checks see them as they are now. */
export function unpricedNotes({ total, options, asOf, archiveEnd }: Question): string[] {
  if (total.unpricedCharges === 0n) return [];
  const { range, zone, server, filter } = options;
  const isEarlier = options.asOf !== undefined;
  const state = isEarlier ? `had no cost as of sequence ${asOf}` : 'have no cost';
  const counts = `${group(total.unpricedCharges)} of ${group(total.charges)} charges ${state} and are in no sum of costs.`;
  const notes = [counts];
  let { from } = range;
  if (archiveEnd && isBefore(from, archiveEnd)) {
    from = archiveEnd;
    notes.push(`Charges before ${clockText(archiveEnd, zone)} that are archived can no longer get a cost.`);
    if (range.to && !isBefore(archiveEnd, range.to)) return notes;
  }
  const flags = [
    ...(from ? ['--from', timeText(from)] : []),
    ...(range.to ? ['--to', timeText(range.to)] : []),
  ];
  const what = isEarlier ? 'To see which have none now' : 'To see why';
  const which = hasFilter(filter) ? ', among all charges of that time' : '';
  return [`${notes.join('\n')} ${what}${which}:`, `  ${commandLine(['prices', 'check', ...flags], server)}`];
}

/** Undefined: since ever. */
function isBefore(time: Timestamp | undefined, end: Timestamp): boolean {
  return time === undefined || microsOf(time) < microsOf(end);
}
