/** One run of `charge prices reprice`, page by page. */

import { ServiceUnavailable } from '../../client.ts';
import { EXIT } from '../../command.ts';
import { type Server } from '../../connection.ts';
import { commandLine } from '../../command-line.ts';
import { agree, terminalOf } from '../../confirm.ts';
import { ALL_CHARGES } from '../../lists.ts';
import { PriceServiceService } from '../../../../generated/charge/v1/price_service.ts';
import type { Timestamp } from '../../../../generated/google/protobuf/timestamp.ts';
import { group, startProgress } from '../../progress.ts';
import { Refused, withSession, type Session } from '../../session.ts';
import { timeText } from '../../time.ts';
import { RepriceTotals } from './totals.ts';

/** What one run is to do. */
export interface RepriceOptions {
  readonly server: Server;
  readonly from: Timestamp;
  readonly to: Timestamp;
  readonly includePriced?: boolean;
  readonly dryRun?: boolean;
  readonly reason: string;
  readonly runId: string;
  /** Where an earlier run stopped; empty: at the first charge. */
  readonly pageToken: string;
  readonly allowClosedPeriod?: boolean;
  readonly yes?: boolean;
  readonly json?: boolean;
}

/** Charges of one call. After Ctrl-C the call in progress ends in order, within seconds. */
const PAGE_CHARGES = 2000;

/** How a run ended. */
type Ending = 'repriced' | 'dry_run' | 'refused' | 'aborted' | 'interrupted';

/** Prices charges again, prints the sums and returns the exit status. */
export function runReprice(options: RepriceOptions, interrupt: AbortSignal): Promise<number> {
  return withSession(options, interrupt, async (session) => {
    if (!options.yes && !options.dryRun) await preview(session, options);
    return interrupt.aborted ? EXIT.failed : reprice(session, options);
  });
}

/** Makes a dry run, shows it and asks. */
async function preview(session: Session, options: RepriceOptions): Promise<void> {
  const { interrupt } = session;
  const { totals, error } = await walk(session, { ...options, dryRun: true });
  if (interrupt.aborted) return;
  if (error) throw error;
  process.stderr.write(`${toText(options, totals, 'dry_run')}\n`);
  await agree(`Change the cost of ${group(totals.changed)} charges?`, false, interrupt, terminalOf(), [
    'this was a dry run; if it is right, --yes changes the costs',
  ]);
}

async function reprice(session: Session, options: RepriceOptions): Promise<number> {
  const { totals, error } = await walk(session, options);
  const isInterrupted = session.interrupt.aborted && totals.pageToken !== '';
  const ending = endingOf(options.dryRun, isInterrupted, error);
  const text = options.json ? toJson(options, totals, ending, error) : toText(options, totals, ending, error);
  process.stdout.write(`${text}\n`);
  if (ending === 'repriced' || ending === 'dry_run') return EXIT.ok;
  return ending === 'refused' ? EXIT.rejected : EXIT.failed;
}

interface Walk {
  readonly totals: RepriceTotals;
  readonly error: Refused | ServiceUnavailable | undefined;
}

/** Does page after page. After `interrupt` it starts no further one. A failure keeps what the pages before it did. */
async function walk(session: Session, options: RepriceOptions): Promise<Walk> {
  const { interrupt } = session;
  const totals = new RepriceTotals(options.pageToken);
  const progress = startProgress(process.stderr, undefined, totals);
  try {
    let isDone = false;
    while (!isDone && !interrupt.aborted) {
      const request = requestOf(options, totals.pageToken);
      totals.add(await session.call(PriceServiceService.repriceCharges, request));
      isDone = totals.pageToken === '';
    }
    return { totals, error: undefined };
  } catch (error) {
    if (error instanceof Refused || error instanceof ServiceUnavailable) return { totals, error };
    // The service stopped answering, and then a person stopped waiting.
    if (interrupt.aborted) return { totals, error: undefined };
    throw error;
  } finally {
    progress.stop();
  }
}

function requestOf(options: RepriceOptions, pageToken: string) {
  const {
    from: startTime,
    to: endTime,
    includePriced = false,
    allowClosedPeriod = false,
    dryRun = false,
  } = options;
  return {
    filter: { ...ALL_CHARGES, startTime, endTime },
    includePriced,
    allowClosedPeriod,
    dryRun,
    // A dry run is not on record.
    reason: dryRun ? '' : options.reason,
    runId: dryRun ? '' : options.runId,
    maxCharges: PAGE_CHARGES,
    pageToken,
  };
}

function endingOf(dryRun: boolean | undefined, isInterrupted: boolean, error: Walk['error']): Ending {
  if (error instanceof Refused) return 'refused';
  if (error) return 'aborted';
  if (isInterrupted) return 'interrupted';
  return dryRun ? 'dry_run' : 'repriced';
}

const HEADS: Readonly<Record<Ending, string>> = {
  repriced: 'Priced again:',
  dry_run: 'Dry run, nothing was changed:',
  refused: 'The service refused to go on. Until then:',
  aborted: 'The service does not answer any more. Until then:',
  interrupted: 'Stopped. Until then:',
};

function toText(options: RepriceOptions, totals: RepriceTotals, ending: Ending, error?: Error): string {
  const goOn = continuation(options, totals, ending, error);
  return [
    HEADS[ending],
    `  charges looked at   ${group(totals.matched)}`,
    `  changed             ${group(totals.changed)}`,
    `  without a cost      ${group(totals.unpriced)}`,
    ...totals
      .decimals()
      .map(({ currency, before, after, difference }) => `  ${currency} ${before} → ${after} (${difference})`),
    ...(ending === 'repriced' ? [`  run id              ${options.runId}`] : []),
    ...(error ? [error.message] : []),
    ...(goOn === undefined
      ? []
      : [ending === 'refused' ? 'To go on, after that is mended:' : 'To go on:', `  ${goOn}`]),
  ].join('\n');
}

function toJson(options: RepriceOptions, totals: RepriceTotals, ending: Ending, error?: Error): string {
  return JSON.stringify({
    status: ending,
    run_id: options.dryRun ? null : options.runId,
    matched_charges: Number(totals.matched),
    changed_charges: Number(totals.changed),
    unpriced_charges: Number(totals.unpriced),
    amounts: totals.sorted().map(([currency, { before, after }]) => ({
      currency_code: currency,
      before_nanos: String(before),
      after_nanos: String(after),
    })),
    last_sequence: String(totals.lastSequence),
    next_page_token: totals.pageToken,
    continue: continuation(options, totals, ending, error) ?? null,
    error: error?.message ?? null,
  });
}

/** The command that goes on after the last page. Undefined: there is nothing left. */
function continuation(
  options: RepriceOptions,
  { pageToken }: RepriceTotals,
  ending: Ending,
  error: Error | undefined,
): string | undefined {
  if (ending === 'repriced' || ending === 'dry_run') return undefined;
  // With the same token it would be refused again.
  if (error instanceof Refused && error.error.reason === 'PAGE_TOKEN_INVALID') return undefined;
  const args = ['--from', timeText(options.from), '--to', timeText(options.to)];
  if (options.includePriced) args.push('--include-priced');
  if (options.dryRun) args.push('--dry-run');
  else args.push('--reason', options.reason, '--run-id', options.runId, '--yes');
  if (pageToken !== '') args.push('--page-token', pageToken);
  if (options.allowClosedPeriod) args.push('--allow-closed-period');
  return commandLine(['prices', 'reprice', ...args], options.server);
}
