/** The end of an import, for people and for programs. */

import { commandLine } from '../command-line.ts';
import { atLeastOne, countLines, type Count } from '../counts.ts';
import { group } from '../progress.ts';
import type { ImportOptions } from './options.ts';
import type { ImportPlan } from './planned.ts';
import { planToJson } from './plan-text.ts';
import type { Totals } from './totals.ts';

/**
 * How an import ended. `stored`: every row is stored; `rejected`: every row is answered, and some are
 * rejected; `dry_run`: nothing was sent, and the counts are what would happen.
 */
export type Ending = 'stored' | 'rejected' | 'aborted' | 'interrupted' | 'dry_run';

/** Everything that the summary tells. */
export interface Report {
  readonly options: ImportOptions;
  readonly plan: ImportPlan;
  /** Id of this run. Charges that it created have it. */
  readonly importId: string;
  readonly ending: Ending;
  readonly totals: Totals;
  /** Undefined: no row was rejected. */
  readonly rejectsPath: string | undefined;
  /** A reject file of an earlier import of the same file, if this one rejected nothing. */
  readonly earlierRejectsPath: string | undefined;
  readonly warnings: readonly string[];
  /** Why the import was aborted. */
  readonly error: string | undefined;
}

const VERBS: Readonly<Record<Ending, string>> = {
  stored: 'Imported',
  rejected: 'Imported in part',
  aborted: 'Gave up on',
  interrupted: 'Stopped',
  dry_run: 'Dry run, nothing was sent:',
};

/** The summary as lines of text. */
export function toText(report: Report): string {
  const { totals } = report;
  const unanswered = totals.read - totals.answered;
  const counts: Count[] = [
    ['rows read', totals.read],
    ['created', totals.created],
    ['replayed', totals.replayed, totals.replayed > 0 ? replayNote(totals) : ''],
    ['rejected', totals.rejected, report.rejectsPath ? `see ${report.rejectsPath}` : ''],
    ...atLeastOne('left out', totals.leftOut, 'no usage of their own'),
    ...atLeastOne('not answered', unanswered),
    ...atLeastOne('voided', totals.voided, 'of the replayed'),
    ...atLeastOne('amended', totals.amended, 'of the replayed'),
    ...atLeastOne('erased', totals.erased, 'of the replayed; they are not in the sums below'),
    ['prompt tokens', totals.promptTokens, 'of the charges that count'],
    ['completion tokens', totals.completionTokens],
  ];
  const seconds = (totals.elapsedMs / 1000).toFixed(1);
  const head = `${VERBS[report.ending]} ${report.options.file} in ${seconds} s (${totals.pace})`;
  const rest = [
    ...costLines(report),
    ...(report.error === undefined ? [] : [report.error]),
    ...hints(report),
  ];
  return [head, ...countLines(counts, 18), ...rest].join('\n');
}

/** The summary as one JSON object. The sums are strings, because they may exceed 2^53. */
export function toJson(report: Report): string {
  const { totals } = report;
  return JSON.stringify({
    status: report.ending,
    file: report.options.file,
    address: report.options.server.address,
    import_id: mayHaveCreated(report) ? report.importId : null,
    plan: planToJson(report.plan),
    rows: totals.read,
    created: totals.created,
    replayed: totals.replayed,
    replayed_after_resend: totals.replayedAfterResend,
    rejected: totals.rejected,
    conflicts: totals.conflicts,
    left_out: totals.leftOut,
    unanswered: totals.read - totals.answered,
    prompt_tokens: String(totals.promptTokens),
    completion_tokens: String(totals.completionTokens),
    replayed_voided: totals.voided,
    replayed_amended: totals.amended,
    replayed_erased: totals.erased,
    ...totals.costs.toJSON(),
    rejects_file: report.rejectsPath ?? null,
    rejections: totals.firstRejections.map(({ row, code, reason }) => ({ row, code, reason })),
    warnings: report.warnings,
    error: report.error ?? null,
    hints: hints(report),
    elapsed_ms: totals.elapsedMs,
  });
}

function replayNote({ replayedAfterResend }: Totals): string {
  if (replayedAfterResend === 0) return 'stored by an earlier import';
  return `stored before; ${group(replayedAfterResend)} of them were sent again by this import after a broken stream`;
}

/** What the charges cost. A dry run knows it only of those that are stored. */
function costLines({ options, ending, totals: { costs } }: Report): string[] {
  const of = ending === 'dry_run' ? 'of charges that are stored' : 'of the charges that count';
  const lines = costs.amounts.map((amount) => `  cost               ${amount}  ${of}`);
  if (costs.unpriced === 0) return lines;
  return [
    ...lines,
    `  without a price    ${group(costs.unpriced)} charges, in no cost above: ${costs.unpricedModels}`,
    `                     ${commandLine(['prices', 'check'], options.server)} tells which prices are missing`,
  ];
}

/** What to do next. */
function hints(report: Report): string[] {
  const { ending, totals, importId, options, earlierRejectsPath } = report;
  const result: string[] = [];
  if (ending === 'aborted' || ending === 'interrupted') {
    result.push(
      'To go on, run the same command again: rows that are stored are replayed, not charged twice.',
    );
  }
  if (ending === 'stored' && earlierRejectsPath !== undefined) {
    result.push(`${earlierRejectsPath} is from an earlier import of this file; this one rejected nothing.`);
  }
  if (totals.voided > 0) {
    const isAll = totals.voided === totals.answered - totals.leftOut;
    const what = isAll ? 'import the file' : 'import these rows, in a file of their own,';
    result.push(
      `${group(totals.voided)} rows are charges that were voided: they stay voided and do not count. ` +
        `To record them again, ${what} with ${prefixFlag(options)}.`,
    );
  }
  if (totals.amended > 0)
    result.push(
      `${group(totals.amended)} rows are charges that were amended: they stay so, and their replacements count instead.`,
    );
  if (totals.conflicts > 0) {
    result.push(
      `${group(totals.conflicts)} rows have the request id of a stored charge with other content. The stored charges stay as they are, ` +
        'and these rows are not charged. If you changed flags since an earlier import of these rows, import them ' +
        'with the flags of that import; if the file changed, each reason names the first field that differs. If the ' +
        'stored charges are wrong, void them (npx charge void) and import these rows, in a file of their own, ' +
        `with ${prefixFlag(options)}.`,
    );
  }
  if (mayHaveCreated(report))
    result.push(
      `Import ${importId}: to take it back, run: ${commandLine(['void', '--import', importId, '--reason', 'TEXT'], options.server)}`,
    );
  return result;
}

/** Whether there may be charges of this import. Rows without an answer may be stored. */
function mayHaveCreated({ ending, totals }: Report): boolean {
  const isOpen = totals.replayedAfterResend > 0 || totals.read > totals.answered;
  return ending !== 'dry_run' && (totals.created > 0 || isOpen);
}

/** A prefix that is not the one of this import. */
function prefixFlag({ requestIdPrefix }: ImportOptions): string {
  return `--request-id-prefix "${requestIdPrefix === 'again:' ? 'again-2:' : 'again:'}"`;
}
