/** `charge prices reprice`: prices recorded charges again, with the prices as they are now. */

import type { Command } from 'commander';
import { addressOption, type RunCommand } from '../../command.ts';
import { readRepriceOptions } from './options.ts';
import { runReprice } from './run.ts';

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
    .action(() => run((interrupt) => runReprice(readRepriceOptions(reprice), interrupt)));
}

const HELP = `
Without --yes it makes a dry run first and asks. Elsewhere than on a terminal it then ends, with exit status 2.
After Ctrl-C, or if the service stops answering, it prints the command that goes on. Doing a page again changes
nothing. Voided and amended charges are left alone.

Exit status:
  0 done · 1 the service refused · 2 wrong flags, or no agreement: nothing was changed · 3 the service is not
  reachable · 130 Ctrl-C, 143 SIGTERM
`;
