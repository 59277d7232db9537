/** One import from the first byte of the file to the summary. */

import { v7 as uuidv7 } from 'uuid';
import { ServiceUnavailable } from '../client.ts';
import { EXIT, UsageError } from '../command.ts';
import { agree, terminalOf } from '../confirm.ts';
import { Refused, Session } from '../session.ts';
import { dryRun } from './dry-run.ts';
import { Importer } from './importer.ts';
import { lookAlikes } from './lookup.ts';
import type { ImportOptions } from './options.ts';
import { planImport } from './plan.ts';
import type { ImportPlan } from './planned.ts';
import { planToJson, planToText } from './plan-text.ts';
import { checkRejects, fileIdOf, RejectFile } from './rejects.ts';
import { toJson, toText, type Ending, type Report } from './report.ts';
import { openRowsOf, openSource, type Source } from './source.ts';
import { Totals } from './totals.ts';

/**
 * Runs an import, prints its plan and its summary, and returns the exit status. After `interrupt` it reads
 * no further row and waits for the answers to what was sent. Rejects with a {@link UsageError} before
 * anything was sent.
 */
export async function runImport(options: ImportOptions, interrupt: AbortSignal): Promise<number> {
  const faults: string[] = [];
  checkRejects(options.rejectsPath, options.file, faults);
  if (faults.length > 0) throw new UsageError(faults);
  // Reading stops after Ctrl-C, and when the service is given up.
  const reading = new AbortController();
  const signal = AbortSignal.any([interrupt, reading.signal]);
  let source: Source | undefined;
  let plan: ImportPlan | undefined;
  try {
    source = await openSource(options, signal);
    plan = await planImport(source, signal);
    process.stderr.write(planToText(plan, options));
    return await runPlan({ options, source, plan, importId: uuidv7(), interrupt, reading });
  } catch (error) {
    if (error instanceof UsageError) error.details = { file: options.file, plan: plan && planToJson(plan) };
    throw error;
  } finally {
    source?.close();
  }
}

interface Run {
  readonly options: ImportOptions;
  readonly source: Source;
  readonly plan: ImportPlan;
  /** Under which the charges of this run can be listed and voided. */
  readonly importId: string;
  readonly interrupt: AbortSignal;
  readonly reading: AbortController;
}

/** Asks if that is needed, imports the rows, prints the summary and returns the exit status. */
async function runPlan(run: Run): Promise<number> {
  const { options, plan, importId, interrupt } = run;
  const rejects = new RejectFile(
    options.rejectsPath,
    fileIdOf(plan.sample.columns, plan.sample.rows[0]?.raw ?? ''),
  );
  let totals = new Totals();
  let warnings: readonly string[] = [];
  let error: string | undefined;
  const session = new Session({ server: options.server }, interrupt);
  try {
    if (plan.sample.rows.length > 0) {
      await session.connect();
      const alike = await alikeDoubt(session, plan);
      if (alike !== undefined) process.stderr.write(`warning: ${alike}\n`);
      const doubts = [...plan.doubts, ...(alike === undefined ? [] : [alike])];
      warnings = doubts;
      if (options.dryRun) totals = await inspect(run, session);
      else {
        const terminal = options.file === '-' ? null : terminalOf();
        // Without a doubt, a program need not agree.
        if (terminal || doubts.length > 0)
          await agree('Record these charges?', options.yes, interrupt, terminal, [
            ...doubts,
            'if all of this is right, --yes records the charges as the plan shows them',
          ]);
        const importer = await importRows(run, rejects, totals);
        warnings = [...warnings, ...importer.warnings];
      }
    }
  } catch (cause) {
    if (!interrupt.aborted) error = explain(cause);
  } finally {
    session.close();
  }
  const ending = endingOf(error, interrupt.aborted, totals);
  const shown = options.dryRun && ending !== 'aborted' && ending !== 'interrupted' ? 'dry_run' : ending;
  const report = { options, plan, importId, ending: shown, error, totals, warnings };
  const summary: Report = { ...report, ...rejects.finish(ending === 'stored' || ending === 'rejected') };
  process.stdout.write(`${options.json ? toJson(summary) : toText(summary)}\n`);
  if (ending === 'stored') return EXIT.ok;
  return ending === 'rejected' ? EXIT.rejected : EXIT.failed;
}

async function importRows(run: Run, rejects: RejectFile, totals: Totals): Promise<Importer> {
  const { options, source, plan, importId, interrupt, reading } = run;
  const importer = new Importer(
    options,
    { ...plan.conversion, importId },
    rejects,
    plan.sample.columns,
    source.totalBytes,
    totals,
  );
  process.stderr.write(`Recording as import ${importId}.\n`);
  totals.start();
  importer.failed.addEventListener('abort', () => reading.abort());
  try {
    const file = await openRowsOf(source, AbortSignal.any([interrupt, reading.signal]), plan.layout);
    await importer.run(file.rows, interrupt).finally(() => file.close());
    return importer;
  } finally {
    importer.close();
  }
}

async function inspect({ source, plan, interrupt }: Run, session: Session): Promise<Totals> {
  const file = await openRowsOf(source, interrupt, plan.layout);
  return dryRun(file.rows, plan.conversion, session, source.totalBytes, interrupt).finally(() =>
    file.close(),
  );
}

/** Rows that are stored already under other ids would be charged again. */
async function alikeDoubt(session: Session, { preview }: ImportPlan): Promise<string | undefined> {
  const { asked, alike } = await lookAlikes(session, preview.requests);
  if (alike === 0 || alike * 2 < asked) return undefined;
  return (
    `of ${asked} rows whose request ids are new, ${alike} look like charges that are stored already, with the same time, ` +
    'model and counts: an import with other flags, or the program itself, may have recorded them under other request ids, ' +
    'and they would be charged again'
  );
}

/** What to say about an error that ended the import. Any other error is thrown on. */
function explain(cause: unknown): string {
  if (cause instanceof ServiceUnavailable || cause instanceof Refused || cause instanceof RangeError)
    return cause.message;
  if (cause instanceof Error && 'code' in cause) return `reading stopped: ${cause.message}`;
  throw cause;
}

function endingOf(error: string | undefined, isInterrupted: boolean, totals: Totals): Ending {
  if (isInterrupted) return 'interrupted';
  if (error !== undefined) return 'aborted';
  return totals.rejected > 0 ? 'rejected' : 'stored';
}
