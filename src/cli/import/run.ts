/** One import from the first byte of the file to the summary. */

import { ServiceUnavailable } from '../client.ts';
import { EXIT, UsageError } from '../command.ts';
import { Importer } from './importer.ts';
import { openFile, sizeOf, type OpenFile } from './open-file.ts';
import type { ImportOptions } from './options.ts';
import { planImport, type ImportPlan } from './plan.ts';
import { checkRejects } from './rejects.ts';
import { toJson, toText, type Ending, type Report } from './report.ts';
import type { Totals } from './totals.ts';

/**
 * Runs an import, prints its summary and returns the exit status. After `interrupt` it reads no
 * further row and waits for the answers to what was sent. Rejects with a {@link UsageError} before
 * anything was sent.
 */
export async function runImport(options: ImportOptions, interrupt: AbortSignal): Promise<number> {
  const faults: string[] = [];
  const totalBytes = sizeOf(options.file, faults);
  checkRejects(options.rejectsPath, options.file, faults);
  if (faults.length > 0) throw new UsageError(faults);
  // Reading stops after Ctrl-C, and when the service is given up while a pipe has nothing to read.
  const reading = new AbortController();
  const file = await openFile(options, AbortSignal.any([interrupt, reading.signal]));
  try {
    const plan = planImport(file.columns, { ...options, format: file.format });
    process.stderr.write(announcement(options, plan, file));
    const importer = new Importer(options, plan, file.fileId, totalBytes);
    importer.failed.addEventListener('abort', () => reading.abort());
    return await importRows(importer, options, file, interrupt);
  } finally {
    // Standard input that stays open would keep the process until its writer closes it.
    file.input.destroy();
  }
}

/** Imports the rows of an open file, prints the summary and returns the exit status. */
async function importRows(
  importer: Importer,
  options: ImportOptions,
  file: OpenFile,
  interrupt: AbortSignal,
): Promise<number> {
  const { totals, rejects, warnings } = importer;
  let error: string | undefined;
  try {
    if (file.first) await importer.run(file.rows, interrupt);
  } catch (cause) {
    error = explain(cause, totals);
  } finally {
    importer.close();
  }
  const ending = endingOf(error, interrupt.aborted, totals);
  const report = { options, file, ending, error, totals, warnings };
  const summary: Report = { ...report, ...rejects.finish(ending === 'stored' || ending === 'rejected') };
  process.stdout.write(`${options.json ? toJson(summary) : toText(summary)}\n`);
  if (ending === 'stored') return EXIT.ok;
  return ending === 'rejected' ? EXIT.rejected : EXIT.failed;
}

function announcement(options: ImportOptions, plan: ImportPlan, file: OpenFile): string {
  const ids = file.first ? `import:${file.fileId}:LINE` : 'none, there are no rows';
  const lines = [
    `Importing ${options.file} (${[file.format, ...file.notes].join(', ')}) into ${options.address}`,
    ...plan.announcement,
    `  request ids: ${options.requestIdColumn === undefined ? ids : `column ${options.requestIdColumn}`}`,
    ...plan.warnings.map((warning) => `warning: ${warning}`),
  ];
  return `${lines.join('\n')}\n`;
}

/** What to say about an error that ended the import. An internal error is thrown on. */
function explain(cause: unknown, totals: Totals): string {
  if (cause instanceof ServiceUnavailable) {
    const hint =
      'Is the service running there? "npm start" starts it; --address HOST:PORT names another one.';
    return totals.answered > 0 ? cause.message : `${cause.message}. ${hint}`;
  }
  if (cause instanceof Error && 'code' in cause) return `reading stopped: ${cause.message}`;
  throw cause;
}

function endingOf(error: string | undefined, isInterrupted: boolean, totals: Totals): Ending {
  if (isInterrupted) return 'interrupted';
  if (error !== undefined) return 'aborted';
  return totals.rejected > 0 ? 'rejected' : 'stored';
}
