/** The end of an import, for people and for programs. */

import { group } from '../progress.ts';
import type { ImportOptions } from './options.ts';
import type { ImportPlan } from './plan.ts';
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
  const counts: [string, number | bigint, string?][] = [
    ['rows read', totals.read],
    ['created', totals.created],
    ['replayed', totals.replayed, totals.replayed > 0 ? replayNote(totals) : ''],
    ['rejected', totals.rejected, report.rejectsPath ? `see ${report.rejectsPath}` : ''],
    ...(totals.leftOut > 0
      ? [['left out', totals.leftOut, 'no usage of their own'] as [string, number, string]]
      : []),
    ...(unanswered > 0 ? [['not answered', unanswered] as [string, number]] : []),
    ['prompt tokens', totals.promptTokens, 'of created and replayed rows'],
    ['completion tokens', totals.completionTokens],
  ];
  const width = Math.max(...counts.map(([, count]) => group(count).length));
  const lines = counts.map(([name, count, note = '']) =>
    `  ${name.padEnd(18)} ${group(count).padStart(width)}  ${note}`.trimEnd(),
  );
  const seconds = (totals.elapsedMs / 1000).toFixed(1);
  const head = `${VERBS[report.ending]} ${report.options.file} in ${seconds} s (${totals.pace})`;
  return [head, ...lines, ...(report.error === undefined ? [] : [report.error]), ...hints(report)].join('\n');
}

/** The summary as one JSON object. The token sums are strings, because they may exceed 2^53. */
export function toJson(report: Report): string {
  const { totals } = report;
  return JSON.stringify({
    status: report.ending,
    file: report.options.file,
    address: report.options.address,
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

/** What to do next. */
function hints({ ending, totals, earlierRejectsPath }: Report): string[] {
  const result: string[] = [];
  if (ending === 'aborted' || ending === 'interrupted') {
    result.push(
      'To go on, run the same command again: rows that are stored are replayed, not charged twice.',
    );
  }
  if (ending === 'stored' && earlierRejectsPath !== undefined) {
    result.push(`${earlierRejectsPath} is from an earlier import of this file; this one rejected nothing.`);
  }
  if (totals.conflicts > 0) {
    result.push(
      `${group(totals.conflicts)} rows have the request id of a stored charge with other content. The stored charges stay as they are, ` +
        'and these rows are not charged. If you changed flags since an earlier import of these rows, import them ' +
        'with the flags of that import; if the file changed, each reason names the first field that differs.',
    );
  }
  return result;
}
