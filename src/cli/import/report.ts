/** The end of an import, for people and for programs. */

import { group } from './progress.ts';
import type { Totals } from './totals.ts';

/** How an import ended. `stored`: every row is in the book; `rejected`: every row is answered, some with no. */
export type Ending = 'stored' | 'rejected' | 'aborted' | 'interrupted';

/** Everything that the last lines of an import tell. */
export interface Report {
  readonly ending: Ending;
  readonly file: string;
  readonly address: string;
  /** Undefined: the file has no row. */
  readonly fileId: string | undefined;
  /** Line of the first row, which is part of the file id. */
  readonly firstRow: number | undefined;
  readonly totals: Totals;
  readonly rejectsPath: string | undefined;
  /** A reject file that an earlier import of the same file left, where this one rejected nothing. */
  readonly staleRejectsPath: string | undefined;
  readonly warnings: readonly string[];
  /** Why it was aborted. */
  readonly error: string | undefined;
  readonly elapsedMs: number;
}

/** The summary as lines of text. */
export function toText(report: Report): string {
  const { totals, ending } = report;
  const seconds = report.elapsedMs / 1000;
  const pace = group(Math.round(totals.answered / Math.max(seconds, 0.001)));
  const verb = {
    stored: 'Imported',
    rejected: 'Imported in part',
    aborted: 'Gave up on',
    interrupted: 'Stopped',
  }[ending];
  const unanswered = totals.read - totals.answered;
  const counts: [string, string][] = [
    ['rows read', group(totals.read)],
    ['created', group(totals.created)],
    ['replayed', group(totals.replayed) + (totals.replayed > 0 ? `  ${replayNote(totals)}` : '')],
    ['rejected', group(totals.rejected) + (report.rejectsPath ? `  see ${report.rejectsPath}` : '')],
    ...(unanswered > 0 ? [['not answered', group(unanswered)] as [string, string]] : []),
    ['prompt tokens', `${group(totals.promptTokens)}  of created and replayed rows`],
    ['completion tokens', group(totals.completionTokens)],
  ];
  const width = Math.max(...counts.map(([, text]) => text.split('  ')[0]?.length ?? 0));
  const lines = counts.map(([name, text]) => {
    const [number = '', note = ''] = text.split(/ {2}(.*)/s);
    return `  ${name.padEnd(18)} ${number.padStart(width)}${note && `  ${note}`}`;
  });
  const head = `${verb} ${report.file} in ${seconds.toFixed(1)} s (${pace} rows/s)`;
  return [head, ...lines, ...(report.error === undefined ? [] : [report.error]), ...hints(report)].join('\n');
}

/** The summary as one JSON object; token sums are strings, because they may exceed 2^53. */
export function toJson(report: Report): string {
  const { totals } = report;
  return JSON.stringify({
    status: report.ending,
    file: report.file,
    address: report.address,
    file_id: report.fileId ?? null,
    rows: totals.read,
    created: totals.created,
    replayed: totals.replayed,
    replayed_after_resend: totals.replayedAfterResend,
    rejected: totals.rejected,
    unanswered: totals.read - totals.answered,
    prompt_tokens: String(totals.promptTokens),
    completion_tokens: String(totals.completionTokens),
    rejects_file: report.rejectsPath ?? null,
    rejections: totals.firstRejections.map(({ row, code, reason }) => ({ row, code, reason })),
    warnings: report.warnings,
    error: report.error ?? null,
    hints: hints(report),
    elapsed_ms: Math.round(report.elapsedMs),
  });
}

function replayNote(totals: Totals): string {
  if (totals.replayedAfterResend === 0) return 'stored by an earlier import';
  return `stored before; ${group(totals.replayedAfterResend)} of them sent again by this import after a broken stream`;
}

/** What to do next. */
function hints({ ending, totals, firstRow, fileId, staleRejectsPath }: Report): string[] {
  const result: string[] = [];
  if (ending === 'aborted' || ending === 'interrupted') {
    result.push(
      'To go on, run the same command again: rows that are stored are replayed, not charged twice.',
    );
  }
  if (ending === 'stored' && staleRejectsPath !== undefined) {
    result.push(`${staleRejectsPath} is from an earlier import of this file; this one rejected nothing.`);
  }
  if (totals.conflicts > 0) {
    result.push(
      `${group(totals.conflicts)} rows have the request id of a stored row with other content: the file or the flags ` +
        'changed since its import, or another file begins with the same header and first row. ' +
        'If it is another file, import it with --source-name NAME.',
    );
  }
  if (
    fileId !== undefined &&
    totals.firstRejections.some(({ row, code }) => row === firstRow && code !== 'REQUEST_ID_REUSED')
  ) {
    result.push(
      `The first row, line ${firstRow}, was rejected. It is part of the file's identity: ` +
        `after correcting it, import with --file-id ${fileId}, or the stored rows are charged again.`,
    );
  }
  return result;
}
