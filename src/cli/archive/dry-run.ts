/** What `charge archive --dry-run` tells: what the same command would do, and what follows from it. */

import type {
  ChargeServiceClient,
  ExportChargesRequest,
} from '../../../generated/charge/v1/charge_service.ts';
import { commandLine } from '../command-line.ts';
import { EXIT } from '../command.ts';
import { sizeText } from '../export/totals.ts';
import { group, startProgress } from '../progress.ts';
import { Refused, type Session } from '../session.ts';
import { timeText } from '../time.ts';
import { PAGE_SIZE } from './archive-file.ts';
import { serviceCharges } from './compare.ts';
import type { ArchiveOptions } from './options.ts';
import { Removed, removePage } from './remove.ts';
import { UsageDays } from './usage-days.ts';

/** What a charge frees, roughly: it takes 480 bytes with its indexes, and 180 stay (docs/retention.md). */
export const FREED_BYTES = 300;

/** What the command would do. */
export class Plan {
  charges = 0;
  days = new UsageDays();
  /** Of the file. */
  bytes = 0;
  readonly removed = new Removed('checked');
  /** Why the service would not remove them; undefined: it would. */
  refusal: Refused | undefined;

  /** Asks the service about charges, until it has refused once. */
  async check(ask: () => Promise<void>): Promise<void> {
    if (this.refusal) return;
    try {
      await ask();
    } catch (error) {
      if (!(error instanceof Refused) || error.error.reason !== 'CHARGE_NOT_ARCHIVABLE') throw error;
      this.refusal = error;
    }
  }

  /** For the progress display. */
  toString(): string {
    return `looked at ${group(this.charges)} charges`;
  }
}

/** Looks at the charges that would go to the file. */
export async function planFile(
  options: ArchiveOptions,
  session: Session,
  client: ChargeServiceClient,
  request: ExportChargesRequest,
): Promise<Plan> {
  const plan = new Plan();
  const progress = startProgress(process.stderr, undefined, plan);
  const onTrouble = (text: string): void => progress.notice(text);
  const source = { ...options, signal: session.interrupt, onTrouble };
  let ids: string[] = [];
  const check = (): Promise<void> =>
    plan.check(() => removePage(session, options, ids, plan.removed, onTrouble));
  try {
    for await (const { id, usageTime, text } of serviceCharges(client, request, source, () =>
      progress.update(plan.charges),
    )) {
      plan.charges++;
      plan.days.add(usageTime);
      plan.bytes += Buffer.byteLength(text) + 1;
      ids.push(id);
      if (ids.length < PAGE_SIZE) continue;
      await check();
      ids = [];
    }
    if (ids.length > 0) await check();
    return plan;
  } finally {
    progress.stop();
  }
}

/** Tells the plan, and returns the exit status. `isWritten`: the file is there. */
export function reportPlan(options: ArchiveOptions, plan: Plan, isWritten: boolean): number {
  const { json, output, before } = options;
  const { charges, days, bytes, removed, refusal } = plan;
  if (json) {
    const status = refusal ? 'refused' : 'done';
    const last = String(removed.sequence);
    const counts = { charges, days: days.count, bytes, archived: 0, already_archived: removed.already };
    process.stdout.write(
      `${JSON.stringify({ status, dry_run: true, file: output, ...counts, last_archived_sequence: last, error: refusal?.message ?? null })}\n`,
    );
  } else {
    const lines = [
      `Usage before ${timeText(before)}: ${group(charges)} charges${String(days)}.`,
      `File: ${output}, ${sizeText(bytes)}${isWritten ? ', is there and agrees with the service' : ', would be written'}.`,
      ...(charges > 0
        ? effects(options, plan)
        : [
            `There is nothing to archive${removed.already > 0 ? `: ${group(removed.already)} charges of the file are archived` : ''}.`,
          ]),
      'Nothing was written, and nothing was removed.',
    ];
    process.stdout.write(`${lines.join('\n')}\n`);
  }
  return refusal ? EXIT.rejected : EXIT.ok;
}

function effects(options: ArchiveOptions, { charges, removed, refusal }: Plan): string[] {
  if (refusal) {
    const which = removed.done === 0 ? 'them' : `those after the first ${group(removed.done)}`;
    return [`The service would refuse to remove ${which}: ${refusal.message}`, ...adviceOn(refusal, options)];
  }
  return [
    `The period is closed. The service would remove them, which frees about ${sizeText(charges * FREED_BYTES)} in its tables.`,
    ...consequences(removed.sequence),
  ];
}

/** What readers of the journal and of totals get after an archive up to this sequence. */
function consequences(sequence: bigint): string[] {
  return [
    `Events up to ${sequence} can then no longer be read: a consumer that asks for older ones gets SEQUENCE_ARCHIVED, ` +
      `takes the charges from the file, and goes on at ${sequence + 1n}.`,
    `Totals as of a sequence before ${sequence} are then refused. If an invoice cites one, keep its totals first: ` +
      'charge export usage --as-of SEQUENCE.',
  ];
}

/** What to do after the service has refused to archive. */
export function adviceOn({ error }: Refused, { before, server }: ArchiveOptions): string[] {
  if (error.reason !== 'CHARGE_NOT_ARCHIVABLE') return [];
  if (error.metadata.get('cause') === 'PERIOD_NOT_CLOSED')
    return [`To close it: ${commandLine(['close-period', '--before', timeText(before)], server)}`];
  return [
    'If it asks for a later closed period: 10 minutes after the charges were recorded or changed, close a later moment ' +
      '(charge close-period --before LATER), and run this command again with --period-end LATER.',
  ];
}
