/** Writes the file of an export, shows how far it is, and tells how it ended. */

import { ServiceUnavailable } from '../client.ts';
import { EXIT } from '../command.ts';
import { group, startProgress, type Progress } from '../progress.ts';
import { Refused } from '../session.ts';
import type { FileOptions } from './file-flags.ts';
import { openPartFile } from './part-file.ts';
import { ReaderGone, standardOutput, WriteFailed, type Place } from './sink.ts';
import { ExportTotals, sizeText } from './totals.ts';

/** What is exported. */
export interface Job {
  readonly options: FileOptions;
  readonly interrupt: AbortSignal;
  /** What is counted, for people and in `--json`. */
  readonly noun: 'charges' | 'rows';
  /** The same for commands whose files have the same bytes. Undefined: an export that is interrupted starts over. */
  readonly identity: string | undefined;
  /** More for `--json`. */
  readonly details?: object;
}

/** The file while it is written. Its functions reject as those of a Sink. */
export interface OpenFile {
  /** Where an earlier run has stopped. */
  readonly start: Place;
  readonly totals: ExportTotals;
  readonly progress: Progress;
  write(bytes: string | Uint8Array): Promise<void>;
  /** A later run can go on here with this token. */
  reached(resumeToken: string): Promise<void>;
}

/**
 * Opens the file, lets `fill` write it, prints the summary, and returns the exit status. The file appears if `fill`
 * has resolved. Rejects with a {@link UsageError} before anything was written.
 */
export async function writeExport(job: Job, fill: (file: OpenFile) => Promise<void>): Promise<number> {
  const { output, force } = job.options;
  const { identity, noun } = job;
  const sink = output === undefined ? standardOutput() : await openPartFile(output, { identity, force });
  const { start } = sink;
  const totals = new ExportTotals(start, noun);
  const progress = startProgress(process.stderr, undefined, totals);
  if (totals.before > 0) progress.notice(`Going on after ${group(totals.before)} ${noun}.`);
  const write = async (bytes: string | Uint8Array): Promise<void> => {
    await sink.write(bytes);
    totals.bytes += typeof bytes === 'string' ? Buffer.byteLength(bytes) : bytes.length;
  };
  const reached = (resumeToken: string): Promise<void> =>
    sink.reached({ resumeToken, charges: totals.count, bytes: totals.bytes });
  let error: Error | undefined;
  try {
    await fill({ start, totals, progress, write, reached });
    await sink.finish();
  } catch (cause) {
    error = cause as Error;
  } finally {
    progress.stop();
    if (error) await sink.close();
  }
  return report(job, totals, error);
}

/**
 * Tells how an export ended, and returns the exit status. `totals` are undefined if it did not begin. Any error of
 * another kind is thrown on.
 */
export function report(job: Job, totals: ExportTotals | undefined, error: Error | undefined): number {
  const { options, noun, details } = job;
  const isInterrupted = job.interrupt.aborted;
  const { count = 0, bytes = 0, elapsedMs = 0, before = 0 } = totals ?? {};
  // Whoever reads standard output has seen enough.
  if (error instanceof ReaderGone) return EXIT.ok;
  const isKnown = [WriteFailed, Refused, ServiceUnavailable].some((kind) => error instanceof kind);
  if (error && !isKnown && !isInterrupted) throw error;
  const place = options.output ?? 'standard output';
  const status = statusOf(error, isInterrupted);
  if (status === 'done') {
    const seconds = (elapsedMs / 1000).toFixed(1);
    process.stderr.write(
      `Exported ${group(count)} ${noun} to ${place} in ${seconds} s (${sizeText(bytes)})\n`,
    );
  } else {
    if (!isInterrupted)
      process.stderr.write(`${status === 'refused' ? 'The service refused: ' : ''}${error?.message}\n`);
    process.stderr.write(`${advice(job, count)}\n`);
  }
  if (options.json)
    process.stdout.write(
      `${JSON.stringify({ status, file: place, format: options.format, [noun]: count, resumed_after: before, bytes, elapsed_ms: elapsedMs, ...details, error: error && !isInterrupted ? error.message : null })}\n`,
    );
  if (status === 'done') return EXIT.ok;
  return status === 'refused' ? EXIT.rejected : EXIT.failed;
}

function statusOf(
  error: Error | undefined,
  isInterrupted: boolean,
): 'done' | 'interrupted' | 'refused' | 'aborted' {
  if (!error) return 'done';
  if (isInterrupted) return 'interrupted';
  return error instanceof Refused ? 'refused' : 'aborted';
}

function advice({ options: { output }, identity, noun }: Job, count: number): string {
  if (output === undefined) return `The output is incomplete: it ends after ${group(count)} ${noun}.`;
  return identity === undefined
    ? `${output} was not written. The same command starts over.`
    : `${output} was not written. The same command goes on with ${output}.part.`;
}
