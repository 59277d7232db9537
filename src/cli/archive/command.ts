/** `charge archive`: moves charges of a closed period to a file. */

import type { Command } from 'commander';
import type { RunCommand } from '../command.ts';
import { addCommonFlags } from '../corrections/flags.ts';
import { readOptions } from './options.ts';
import { runArchive } from './run.ts';

/** Adds the subcommand to the program. */
export function addArchive(program: Command, run: RunCommand): void {
  const command = program
    .command('archive')
    .summary('move charges of a closed period to a file')
    .description(
      'Exports charges of a closed period to a file, compares the file with the service, and removes the charges. ' +
        'Totals, request ids and the numbers of the journal stay.',
    )
    .allowExcessArguments()
    .option('--before <time>', 'usage before this moment, such as 2026-01-01; needed')
    .option('-o, --output <file>', 'the file, which must end with .ndjson; needed')
    .option(
      '--period-end <time>',
      'the end of a later closed period, for charges that were recorded or changed after the first one',
    )
    .option('--dry-run', 'remove nothing, and tell what would happen')
    .option('--yes', 'do not ask')
    .addHelpText('after', HELP)
    .action(() => run((interrupt) => runArchive(readOptions(command), interrupt)));
  addCommonFlags(command);
}

const HELP = `
First close the period: charge close-period --before TIME. Keep the file: it is all that is left of the charges.

If the command is interrupted, run it again: it goes on with the file. docs/retention.md tells what archived charges
mean for readers of the journal and for repeated requests.

Exit status: 0 done · 1 the service refused, or the file differs from what is recorded: see the message
2 wrong flags, or no agreement: nothing was removed · 3 the service did not answer; run the same command again
`;
