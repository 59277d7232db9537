/** `charge prices reprice`: prices recorded charges again, with the prices as they are now. */

import { randomUUID } from 'node:crypto';
import type { Command } from 'commander';
import type { Timestamp } from '../../../../generated/google/protobuf/timestamp.ts';
import { addressOption, UsageError, type RunCommand } from '../../command.ts';
import { readAddressOf, refuseArguments } from '../flags.ts';
import { microsOf, readTime } from '../time.ts';
import { runReprice } from './run.ts';

/** What one run is to do. */
export interface RepriceOptions {
  readonly address: string;
  readonly from: Timestamp;
  readonly to: Timestamp;
  readonly includePriced: boolean;
  readonly dryRun: boolean;
  readonly reason: string;
  readonly runId: string;
  /** Where an earlier run stopped; empty: at the first charge. */
  readonly pageToken: string;
  readonly allowClosedPeriod: boolean;
  readonly yes: boolean;
  readonly json: boolean;
}

type RawFlags = Partial<Record<'from' | 'to' | 'reason' | 'runId' | 'pageToken', string>> &
  Partial<Record<'includePriced' | 'dryRun' | 'allowClosedPeriod' | 'yes' | 'json', boolean>>;

/** Adds the subcommand to the group. */
export function addReprice(prices: Command, run: RunCommand): void {
  const reprice = prices
    .command('reprice')
    .summary('price recorded charges again')
    .description(
      'Prices recorded charges again, with the prices as they are now. Each change is on record, with the cost before it.',
    )
    .allowExcessArguments()
    .addOption(addressOption())
    .option('--from <time>', 'usage from this moment on')
    .option('--to <time>', 'usage before this moment')
    .option('--include-priced', 'also charges that have a cost (default: only those that have none)')
    .option('--dry-run', 'change nothing, and tell what would change')
    .option('--reason <text>', 'why, for the record; needed unless --dry-run')
    .option('--run-id <id>', 'the name of the run on record (default: a new one)')
    .option('--page-token <token>', 'go on where an earlier run stopped, with its --run-id')
    .option('--allow-closed-period', 'also charges of closed periods')
    .option('--yes', 'do it without a dry run and a question')
    .option('--json', 'print one JSON object on standard output')
    .addHelpText('after', HELP)
    .action(() => run((interrupt) => runReprice(readOptions(reprice), interrupt)));
}

const HELP = `
Without --yes it makes a dry run first and asks. Elsewhere than on a terminal it then ends, with exit status 2.
After Ctrl-C, or if the service stops answering, it prints the command that goes on. Doing a page again changes
nothing. Voided and amended charges are left alone.

Exit status:
  0 done · 1 the service refused · 2 wrong flags, or no agreement: nothing was changed · 3 the service is not
  reachable · 130 Ctrl-C, 143 SIGTERM
`;

function readOptions(command: Command): RepriceOptions {
  const flags = command.opts<RawFlags>();
  const faults: string[] = [];
  refuseArguments(command, faults);
  const { dryRun = false, reason = '', runId = `reprice-${randomUUID()}` } = flags;
  const from = readTime('--from', flags.from, faults);
  const to = readTime('--to', flags.to, faults);
  for (const [flag, value] of [['--from', flags.from] as const, ['--to', flags.to] as const])
    if (value === undefined) faults.push(`${flag} is needed`);
  if (from && to && microsOf(from) >= microsOf(to)) faults.push('--from must be before --to');
  if (!dryRun && reason === '') faults.push('--reason is needed, unless --dry-run');
  if (reason.length > 255) faults.push('--reason: at most 255 characters');
  if (!/^[ -~]{1,128}$/.test(runId)) faults.push('--run-id: 1 to 128 printable ASCII characters');
  if (flags.pageToken !== undefined && flags.runId === undefined && !dryRun)
    faults.push('--page-token needs the --run-id of the run that stopped');
  const address = readAddressOf(command, faults);
  if (faults.length > 0 || !from || !to) throw new UsageError(faults);
  return {
    address,
    from,
    to,
    includePriced: flags.includePriced ?? false,
    dryRun,
    reason,
    runId,
    pageToken: flags.pageToken ?? '',
    allowClosedPeriod: flags.allowClosedPeriod ?? false,
    yes: flags.yes ?? false,
    json: flags.json ?? false,
  };
}
