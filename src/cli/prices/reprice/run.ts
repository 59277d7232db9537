/** One run of `charge prices reprice`, page by page. */

import { ServiceUnavailable } from '../../client.ts';
import { EXIT } from '../../command.ts';
import { group, startProgress } from '../../progress.ts';
import { agree, terminalOfProcess } from '../agree.ts';
import { failed } from '../failure.ts';
import { commandLine } from '../flags.ts';
import { CallRefused, PriceApi } from '../service.ts';
import { timeText } from '../time.ts';
import type { RepriceOptions } from './options.ts';
import { RepriceTotals } from './totals.ts';

/** Charges of one call. After Ctrl-C the call in progress ends in order, within seconds. */
const PAGE_CHARGES = 2000;

/** How a run ended. */
type Ending = 'repriced' | 'dry_run' | 'refused' | 'aborted' | 'interrupted';

/** Prices charges again, prints the sums and returns the exit status. */
export async function runReprice(options: RepriceOptions, interrupt: AbortSignal): Promise<number> {
  try {
    return await PriceApi.use(options.address, async (api) => {
      if (!options.yes && !options.dryRun) await preview(api, options, interrupt);
      return interrupt.aborted ? EXIT.failed : await reprice(api, options, interrupt, options.dryRun);
    });
  } catch (error) {
    return failed(error, 'Nothing was changed.', options.json);
  }
}

/** Makes a dry run, shows it and asks. */
async function preview(api: PriceApi, options: RepriceOptions, interrupt: AbortSignal): Promise<void> {
  const { totals } = await walk(api, options, interrupt, true);
  if (interrupt.aborted) return;
  process.stderr.write(`${toText(options, totals, 'dry_run')}\n`);
  await agree(
    `Change the cost of ${group(totals.changed)} charges? [y/N] `,
    'this was a dry run; if it is right, --yes changes the costs',
    terminalOfProcess(),
    interrupt,
  );
}

async function reprice(
  api: PriceApi,
  options: RepriceOptions,
  interrupt: AbortSignal,
  dryRun: boolean,
): Promise<number> {
  const { totals, error } = await walk(api, options, interrupt, dryRun);
  const ending = endingOf(dryRun, interrupt.aborted && totals.pageToken !== '', error);
  const text = options.json ? toJson(options, totals, ending, error) : toText(options, totals, ending, error);
  process.stdout.write(`${text}\n`);
  if (ending === 'repriced' || ending === 'dry_run') return EXIT.ok;
  return ending === 'refused' ? EXIT.rejected : EXIT.failed;
}

interface Walk {
  readonly totals: RepriceTotals;
  readonly error: CallRefused | ServiceUnavailable | undefined;
}

/** Does page after page. After `interrupt` it starts no further one. A failure keeps what the pages before it did. */
async function walk(
  api: PriceApi,
  options: RepriceOptions,
  interrupt: AbortSignal,
  dryRun: boolean,
): Promise<Walk> {
  const totals = new RepriceTotals(options.pageToken);
  const progress = startProgress(process.stderr, undefined, totals);
  try {
    let isDone = false;
    while (!isDone && !interrupt.aborted) {
      totals.add(await api.reprice(requestOf(options, dryRun, totals.pageToken)));
      isDone = totals.pageToken === '';
    }
    return { totals, error: undefined };
  } catch (error) {
    if (error instanceof CallRefused || error instanceof ServiceUnavailable) return { totals, error };
    throw error;
  } finally {
    progress.stop();
  }
}

function requestOf(options: RepriceOptions, dryRun: boolean, pageToken: string) {
  const filter = {
    userProfile: '',
    sessionKey: '',
    provider: 0,
    chargeType: 0,
    model: '',
    reference: '',
    labels: new Map<string, string>(),
    importId: '',
    startTime: options.from,
    endTime: options.to,
  } as const;
  const { includePriced, allowClosedPeriod } = options;
  // A dry run is not on record.
  const { reason, runId } = dryRun ? { reason: '', runId: '' } : options;
  const maxCharges = PAGE_CHARGES;
  return { filter, includePriced, allowClosedPeriod, reason, runId, dryRun, maxCharges, pageToken };
}

function endingOf(dryRun: boolean, isInterrupted: boolean, error: Walk['error']): Ending {
  if (error instanceof CallRefused) return 'refused';
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
  const goOn = continuation(options, totals, ending);
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
    ...(goOn === undefined ? [] : ['To go on:', `  ${goOn}`]),
  ].join('\n');
}

function toJson(options: RepriceOptions, totals: RepriceTotals, ending: Ending, error?: Error): string {
  return JSON.stringify({
    status: ending,
    run_id: options.dryRun ? null : options.runId,
    matched_charges: Number(totals.matched),
    changed_charges: Number(totals.changed),
    unpriced_charges: Number(totals.unpriced),
    amounts: totals
      .decimals()
      .map(({ currency, before, after }) => ({ currency_code: currency, before, after })),
    last_sequence: String(totals.lastSequence),
    next_page_token: totals.pageToken,
    continue: continuation(options, totals, ending) ?? null,
    error: error?.message ?? null,
  });
}

/** The command that goes on after the last page. Undefined: there is nothing left. */
function continuation(
  options: RepriceOptions,
  { pageToken }: RepriceTotals,
  ending: Ending,
): string | undefined {
  if (ending === 'repriced' || ending === 'dry_run') return undefined;
  const args = ['--from', timeText(options.from), '--to', timeText(options.to)];
  if (options.includePriced) args.push('--include-priced');
  if (options.dryRun) args.push('--dry-run');
  else args.push('--reason', options.reason, '--run-id', options.runId, '--yes');
  if (pageToken !== '') args.push('--page-token', pageToken);
  if (options.allowClosedPeriod) args.push('--allow-closed-period');
  return commandLine(['prices', 'reprice', ...args], options.address);
}
