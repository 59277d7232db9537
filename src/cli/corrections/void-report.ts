/** The end of `charge void`, for people and for programs. */

import type { ServiceUnavailable } from '../client.ts';
import { commandLine } from '../command-line.ts';
import { group } from '../progress.ts';
import type { Selection } from './selection.ts';
import type { VoidTotals } from './void-charges.ts';
import type { VoidOptions } from './flags.ts';

/** Everything that the report tells. */
export interface VoidReport {
  readonly options: VoidOptions;
  readonly selection: Selection;
  /** Ids and request ids that no charge has. */
  readonly missing: readonly string[];
  /** Undefined: nothing was sent. */
  readonly totals: VoidTotals | undefined;
  /** Why it gave up. */
  readonly failure: ServiceUnavailable | undefined;
}

/** So many refused charges are shown one by one. */
const SHOWN_REFUSALS_MAX = 10;

interface Refusal {
  readonly id: string;
  readonly reason: string;
  readonly message: string;
}

/** The report as lines of text. */
export function voidText(report: VoidReport, isInterrupted: boolean): string {
  const { options, selection, totals, failure } = report;
  if (options.dryRun) return ['Dry run, nothing was voided.', ...refusalLines(report)].join('\n');
  const seconds = ((totals?.elapsedMs ?? 0) / 1000).toFixed(1);
  const already = selection.voided + (totals?.already ?? 0);
  const lines = [`Voided ${group(totals?.voided ?? 0)} charges in ${seconds} s`];
  if (already > 0) lines.push(`  voided before   ${group(already)}`);
  for (const amount of totals?.costs.amounts ?? []) lines.push(`  cost            ${amount}`);
  const open = openOf(report);
  if (open > 0) lines.push(`  not answered    ${group(open)}`);
  lines.push(...refusalLines(report));
  if (failure) lines.push(failure.message);
  if (failure || isInterrupted)
    lines.push('To go on, run the same command again: no charge is voided twice.');
  else if (options.importId !== undefined)
    lines.push(
      'The request ids of voided charges stay taken. To record a corrected file, import it with --request-id-prefix "again:".',
    );
  return lines.join('\n');
}

/** The report as one JSON object. Amounts are texts, because they may exceed 2^53. */
export function voidJson(report: VoidReport, isInterrupted: boolean): string {
  const { options, selection, totals, failure } = report;
  const refused = refusalsOf(report);
  return JSON.stringify({
    status: options.dryRun ? 'dry_run' : failure ? 'aborted' : isInterrupted ? 'interrupted' : 'done',
    import_id: options.importId ?? null,
    selected: selection,
    voided: totals?.voided ?? 0,
    already_voided: selection.voided + (totals?.already ?? 0),
    refused: selection.amended.length + report.missing.length + (totals?.refused ?? 0),
    refusals: refused,
    unanswered: openOf(report),
    voided_costs: totals?.costs.toJSON().costs ?? [],
    error: failure?.message ?? null,
    elapsed_ms: totals?.elapsedMs ?? 0,
  });
}

function openOf({ selection, totals }: VoidReport): number {
  return totals ? selection.ids.length - totals.answered : 0;
}

function refusalsOf({ options, selection, missing, totals }: VoidReport): Refusal[] {
  return [
    ...missing.map((id) => ({ id, reason: 'CHARGE_NOT_FOUND', message: 'there is no such charge' })),
    ...selection.amended.map(({ id, replacedBy }) => ({
      id,
      reason: 'CHARGE_ALREADY_CORRECTED',
      message: `it was amended, and charge ${replacedBy} counts in its place; ${commandLine(['void', replacedBy, '--reason', 'TEXT'], options.server)} voids that one`,
    })),
    ...(totals?.refusals ?? []),
  ];
}

function refusalLines(report: VoidReport): string[] {
  const refusals = refusalsOf(report);
  const count = report.selection.amended.length + report.missing.length + (report.totals?.refused ?? 0);
  if (count === 0) return [];
  const more = count - Math.min(refusals.length, SHOWN_REFUSALS_MAX);
  return [
    `  refused         ${group(count)}`,
    ...refusals.slice(0, SHOWN_REFUSALS_MAX).map(({ id, message }) => `    ${id}: ${message}`),
    ...(more > 0
      ? [`    and ${group(more)} more${report.options.json ? '' : '; --json lists up to 1,000'}`]
      : []),
  ];
}
