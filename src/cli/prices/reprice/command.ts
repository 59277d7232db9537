/** `charge prices reprice`: prices recorded charges again, with the prices as they are now. */

import { randomUUID } from 'node:crypto';
import type { Command } from 'commander';
import { throwFaults, UsageError, type RunCommand } from '../../command.ts';
import { addConnectionFlags, readServer } from '../../connection.ts';
import { readRange } from '../../time.ts';
import { runReprice, type RepriceOptions } from './run.ts';

/** Adds the subcommand to the group. */
export function addReprice(prices: Command, run: RunCommand): void {
  const reprice = prices
    .command('reprice')
    .summary('price recorded charges again')
    .description(
      'Prices recorded charges again, with the prices as they are now. Each change is on record, with the cost before it.',
    )
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
    .action(() => run((interrupt) => runReprice(readRepriceOptions(reprice), interrupt)));
  addConnectionFlags(reprice);
}

const HELP = `
Without --yes it makes a dry run first and asks. Elsewhere than on a terminal it then ends, with exit status 2.
After Ctrl-C, or if the service stops answering, it prints the command that goes on. Doing a page again changes
nothing. Voided and amended charges are left alone.

Exit status:
  0 done · 1 the service refused · 2 wrong flags, or no agreement: nothing was changed · 3 the service is not
  reachable · 130 Ctrl-C, 143 SIGTERM
`;

type Flags = Partial<Record<'from' | 'to' | 'runId', string>> & Partial<Omit<RepriceOptions, 'from' | 'to'>>;

/** Reads the command line that commander has taken apart. Throws a {@link UsageError} with every fault. */
function readRepriceOptions(command: Command): RepriceOptions {
  const flags = command.opts<Flags>();
  const faults: string[] = [];
  const { dryRun, reason = '', runId = `reprice-${randomUUID()}`, pageToken = '' } = flags;
  const { from, to } = readRange(flags, faults);
  for (const name of ['from', 'to'] as const)
    if (flags[name] === undefined) faults.push(`--${name} is needed`);
  if (!dryRun && reason === '') faults.push('--reason is needed, unless --dry-run');
  if (reason.length > 255) faults.push('--reason: at most 255 characters');
  if (!/^[ -~]{1,128}$/.test(runId)) faults.push('--run-id: 1 to 128 printable ASCII characters');
  if (pageToken !== '' && flags.runId === undefined && !dryRun)
    faults.push('--page-token needs the --run-id of the run that stopped');
  const server = readServer(command, faults);
  throwFaults(faults);
  if (!from || !to) throw new UsageError(faults);
  return { ...flags, server, from, to, reason, runId, pageToken };
}
