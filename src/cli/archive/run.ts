/** One archive: export, compare, ask, remove. */

import { existsSync, statSync } from 'node:fs';
import {
  ChargeServiceClient,
  type ExportChargesRequest,
} from '../../../generated/charge/v1/charge_service.ts';
import { openClient } from '../client.ts';
import { EXIT } from '../command.ts';
import { agree } from '../confirm.ts';
import { runExport } from '../export/run.ts';
import { sizeText } from '../export/totals.ts';
import { ALL_CHARGES } from '../lists.ts';
import { group, startProgress } from '../progress.ts';
import { Refused, withSession, type Session } from '../session.ts';
import type { ArchiveOptions } from './options.ts';
import { Comparison, compareWithService } from './compare.ts';
import { adviceOn, FREED_BYTES, Plan, planFile, reportPlan } from './dry-run.ts';
import { FileChanged, Removed, removeCharges } from './remove.ts';

/** Runs the command and returns the exit status. Rejects with a {@link UsageError} before anything was removed. */
export async function runArchive(options: ArchiveOptions, interrupt: AbortSignal): Promise<number> {
  const { output, dryRun } = options;
  if (!existsSync(output) && !dryRun) {
    const exported = await runExport({ ...exportOptions(options), json: false }, interrupt);
    if (exported !== EXIT.ok) return exported;
  }
  const fields = { end_time: options.periodEnd === options.before ? '--before' : '--period-end' };
  return withSession({ ...options, fields }, interrupt, async (session) => {
    const client = openClient(ChargeServiceClient, options.server);
    try {
      if (existsSync(output)) return await archiveFile(options, session, client);
      return reportPlan(options, await planFile(options, session, client, exportRequest(options)), false);
    } finally {
      client.close();
    }
  });
}

async function archiveFile(
  options: ArchiveOptions,
  session: Session,
  client: ChargeServiceClient,
): Promise<number> {
  const { output, dryRun, yes } = options;
  const found = await compareFile(options, session, client);
  process.stderr.write(`${foundText(output, found)}\n`);
  if (found.changed.length > 0) {
    process.stderr.write(
      `Nothing was removed. These charges were changed since the file was written: ${found.changed.join(', ')}. ` +
        `If nothing was archived yet, move ${output} away and run the command again.\n`,
    );
    return report(options, found, undefined, 'changed');
  }
  if (dryRun) return reportPlan(options, await planRemoval(options, session, found), true);
  if (found.same + found.onlyInFile === 0) return report(options, found, undefined, 'done');
  const question =
    `Remove these ${group(found.same)} charges from the service, which frees about ` +
    `${sizeText(found.same * FREED_BYTES)} in its tables? They are only in ${output} then. This cannot be undone; ` +
    '--dry-run tells what readers of old events and totals then get.';
  if (found.same > 0) await agree(question, yes, session.interrupt);
  return remove(options, session, found);
}

async function remove(options: ArchiveOptions, session: Session, found: Comparison): Promise<number> {
  const removed = new Removed();
  try {
    await removeCharges(session, options, found.checksums, removed);
  } catch (error) {
    if (removed.archived > 0)
      process.stderr.write(`${group(removed.archived)} charges were archived before this:\n`);
    if (error instanceof Refused) error.advice = adviceOn(error, options);
    if (!(error instanceof FileChanged)) throw error;
    process.stderr.write(
      `${error.message}, so no more charges were removed. ${
        removed.archived > 0
          ? 'It was right when the charges before were removed, and is the only copy of them: get it back from a backup.'
          : 'Move it away, and run the command again.'
      }\n`,
    );
    return report(options, found, removed, 'changed');
  }
  return report(options, found, removed, 'done');
}

/** For a dry run with a file. */
async function planRemoval(options: ArchiveOptions, session: Session, found: Comparison): Promise<Plan> {
  const plan = new Plan();
  plan.charges = found.same;
  plan.days = found.days;
  plan.bytes = statSync(options.output).size;
  await plan.check(() => removeCharges(session, options, found.checksums, plan.removed));
  return plan;
}

async function compareFile(
  options: ArchiveOptions,
  { interrupt }: Session,
  client: ChargeServiceClient,
): Promise<Comparison> {
  const found = new Comparison();
  const progress = startProgress(process.stderr, undefined, found);
  try {
    const source = { ...options, signal: interrupt, onTrouble: (text: string) => progress.notice(text) };
    const compared = (): void => progress.update(found.same + found.onlyInFile);
    await compareWithService(options.output, client, exportRequest(options), source, found, compared);
    return found;
  } finally {
    progress.stop();
  }
}

function exportOptions(options: ArchiveOptions) {
  const filter = { ...ALL_CHARGES, endTime: options.before };
  return { ...options, format: 'ndjson' as const, force: false, filter, includeCorrected: true };
}

/** The same charges as {@link runExport} asks for. */
function exportRequest(options: ArchiveOptions): ExportChargesRequest {
  const { filter, includeCorrected } = exportOptions(options);
  return { filter, includeCorrected, includeCostLines: false, resumeToken: '' };
}

function foundText(output: string, { same, onlyInFile, missing, days }: Comparison): string {
  const parts = [
    `${output}: ${group(same)} charges${same > 0 ? `${String(days)},` : ''} are as the service has them`,
  ];
  if (onlyInFile > 0) parts.push(`${group(onlyInFile)} are no longer there`);
  if (missing > 0) parts.push(`${group(missing)} charges of the service are not in the file and stay`);
  return `${parts.join('; ')}.`;
}

function report(
  { json, output }: ArchiveOptions,
  { same, missing, changed }: Comparison,
  removed: Removed | undefined,
  status: 'done' | 'changed',
): number {
  const { archived = 0, already = 0, sequence = 0n } = removed ?? {};
  const last = String(sequence);
  if (json) {
    const counts = { charges: same, archived, already_archived: already, not_in_file: missing, changed };
    process.stdout.write(
      `${JSON.stringify({ status, file: output, ...counts, last_archived_sequence: last })}\n`,
    );
  } else if (removed && status === 'done') {
    const before = already > 0 ? `, ${group(already)} were archived before` : '';
    process.stdout.write(
      `Archived ${group(archived)} charges${before}. Events up to ${last} can no longer be read. Keep ${output}.\n`,
    );
  } else if (status === 'done') {
    process.stdout.write('Nothing to archive: no charges.\n');
  }
  return status === 'done' ? EXIT.ok : EXIT.rejected;
}
