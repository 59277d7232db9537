/** One archive: export, compare, ask, remove. */

import { existsSync } from 'node:fs';
import {
  ChargeServiceClient,
  type ExportChargesRequest,
} from '../../../generated/charge/v1/charge_service.ts';
import { openClient } from '../client.ts';
import { EXIT } from '../command.ts';
import { agree } from '../confirm.ts';
import { exportedCharges } from '../export/charge-source.ts';
import { runExport } from '../export/run.ts';
import { sizeText } from '../export/totals.ts';
import { ALL_CHARGES } from '../lists.ts';
import { group, startProgress } from '../progress.ts';
import { Refused, withSession, type Session } from '../session.ts';
import { timeText } from '../time.ts';
import type { ArchiveOptions } from './options.ts';
import { Comparison, compareWithService } from './compare.ts';
import { Removed, removeCharges } from './remove.ts';

/** What a charge frees, roughly: it takes 480 bytes with its indexes, and 180 stay (docs/retention.md). */
const FREED_BYTES = 300;

/** Runs the command and returns the exit status. Rejects with a {@link UsageError} before anything was removed. */
export async function runArchive(options: ArchiveOptions, interrupt: AbortSignal): Promise<number> {
  const { output, dryRun } = options;
  if (!existsSync(output) && !dryRun) {
    const exported = await runExport({ ...exportOptions(options), json: false }, interrupt);
    if (exported !== EXIT.ok) return exported;
  }
  return withSession(options, interrupt, async (session) => {
    const client = openClient(ChargeServiceClient, options.server);
    try {
      if (existsSync(output)) return await archiveFile(options, session, client);
      return await tellSize(options, session, client);
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
  if (dryRun || found.same + found.onlyInFile === 0) return report(options, found, undefined, 'done');
  const question =
    `Remove these ${group(found.same)} charges from the service, which frees about ` +
    `${sizeText(found.same * FREED_BYTES)} in its tables? They are only in ${output} then. This cannot be undone.`;
  if (found.same > 0) await agree(question, yes, session.interrupt);
  const removed = new Removed();
  try {
    await removeCharges(session, options, found.same + found.onlyInFile, removed);
  } catch (error) {
    if (removed.archived > 0)
      process.stderr.write(`${group(removed.archived)} charges were archived before this:\n`);
    if (error instanceof Refused && error.error.reason === 'CHARGE_NOT_ARCHIVABLE')
      process.stderr.write('--period-end names a later closed period; close-period closes one.\n');
    throw error;
  }
  return report(options, found, removed, 'done');
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

/** For a dry run without a file: how many charges there are. */
async function tellSize(
  options: ArchiveOptions,
  { interrupt }: Session,
  client: ChargeServiceClient,
): Promise<number> {
  const source = { ...options, signal: interrupt, onTrouble: () => undefined };
  let charges = 0;
  let last = '';
  let first = '';
  for await (const response of exportedCharges(client, exportRequest(options), source)) {
    charges += response.charges.length;
    first ||= timeText(response.charges[0]?.charge?.usageTime);
    last = timeText(response.charges.at(-1)?.charge?.usageTime) || last;
  }
  const range = charges > 0 ? `, usage from ${first} to ${last}` : '';
  process.stderr.write(
    `Usage before ${timeText(options.before)}: ${group(charges)} charges${range}. To archive them frees about ` +
      `${sizeText(charges * FREED_BYTES)} in the tables of the service. Nothing was written.\n`,
  );
  if (options.json) process.stdout.write(`${JSON.stringify({ status: 'done', charges, archived: 0 })}\n`);
  return EXIT.ok;
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

function foundText(output: string, { same, onlyInFile, missing, range }: Comparison): string {
  const parts = [`${output}: ${group(same)} charges are as the service has them${range && `, ${range}`}`];
  if (onlyInFile > 0) parts.push(`${group(onlyInFile)} are no longer there`);
  if (missing > 0) parts.push(`${group(missing)} charges of the service are not in the file and stay`);
  return `${parts.join('; ')}.`;
}

function report(
  { json, output, dryRun }: ArchiveOptions,
  { same, onlyInFile, missing, changed }: Comparison,
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
  } else if (removed) {
    const before = already > 0 ? `, ${group(already)} were archived before` : '';
    process.stdout.write(
      `Archived ${group(archived)} charges${before}. Events up to ${last} can no longer be read. Keep ${output}.\n`,
    );
  } else if (status === 'done') {
    process.stdout.write(
      dryRun ? 'Nothing was removed.\n' : `Nothing to archive${onlyInFile > 0 ? '' : ': no charges'}.\n`,
    );
  }
  return status === 'done' ? EXIT.ok : EXIT.rejected;
}
