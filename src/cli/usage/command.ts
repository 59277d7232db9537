/** `charge usage` and `charge top`: who used what. */

import type { Command } from 'commander';
import type { RunCommand } from '../command.ts';
import { MEASURE_NAMES } from './measures.ts';
import { addUsageFlags, readTopOptions, readUsageOptions } from './options.ts';
import { addGroupFlags } from './question-flags.ts';
import { runUsage } from './run.ts';

/** Adds the subcommands to the program. */
export function addUsage(program: Command, run: RunCommand): void {
  const usage = program
    .command('usage')
    .summary('show who used what')
    .description(
      'Sums charges, tokens and costs by user, model, time and more. Without flags: the last 30 days by model.',
    );
  addGroupFlags(usage)
    .option('--order <measure>', `what comes first: ${MEASURE_NAMES}, window (default: cost)`)
    .option('--limit <number>', 'so many rows (default: 20 groups in a table, otherwise all)')
    .addHelpText('after', HELP)
    .action(() => run((interrupt) => runUsage(readUsageOptions(usage), interrupt)));
  addUsageFlags(usage);
  const top = program
    .command('top')
    .summary('show who used most')
    .description('Shows the users, models and so on with the highest costs, and their shares of the total.')
    .argument(
      '[names...]',
      `users, models, providers, sessions, regions, labels:KEY; each name of charge usage --by`,
    )
    .option('--by <measure>', `what is compared: ${MEASURE_NAMES} (default: cost)`)
    .option('--limit <number>', 'so many rows (default: 10)')
    .addHelpText('after', HELP)
    .action(() => run((interrupt) => runUsage(readTopOptions(top), interrupt)));
  addUsageFlags(top);
}

const HELP = `
Times:
  --last 30d is whole days of the zone: today and the 29 days before it. With a window it is whole windows, the
  current one among them: --last 24h --window hour is this hour and the 23 before it.
  A date or time without an offset is of the zone: 2026-11-01 is its midnight there. --to is not part of the range.

Output:
  A table is for people: its amounts are rounded, and each table says as of which sequence of the journal it is true.
  --json and --csv have every row and every digit, and times with the offset of the zone. With --as-of and that
  sequence, and with --from and --to instead of --last, a command prints the same sums for ever.
  Charges without a cost are counted as unpriced. They are in no sum of costs.

Exit status:
  0 done · 1 the service refused · 2 wrong flags: nothing was sent · 3 the service is not reachable · 130 Ctrl-C
`;
