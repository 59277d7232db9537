/** `charge export`: writes what is recorded to a file. */

import type { Command } from 'commander';
import type { RunCommand } from '../command.ts';
import { addFlags, readOptions } from './options.ts';
import { runExport } from './run.ts';
import { addUsageExportFlags, readUsageExportOptions } from './usage/options.ts';
import { runUsageExport } from './usage/run.ts';

/** Adds the subcommand to the program. */
export function addExport(program: Command, run: RunCommand): void {
  const command = program
    .command('export')
    .summary('write charges or usage to a file')
    .description('Writes what is recorded as CSV, NDJSON, Parquet or FOCUS.');
  const charges = command
    .command('charges', { isDefault: true })
    .summary('every charge, the oldest usage first (the default)')
    .description('Writes every charge that matches, the oldest usage first.')
    // The rules of this command name every fault at once. Commander's own check would end at the first.
    .allowExcessArguments()
    .addHelpText('after', CHARGES_HELP + STATUS_HELP)
    .action(() => run((interrupt) => runExport(readOptions(charges), interrupt)));
  addFlags(charges);
  const usage = command
    .command('usage')
    .summary('the sums of charge usage')
    .description(
      'Writes the sums of charge usage by time, every row and every digit. Without flags: the last 30 days by model.',
    )
    .allowExcessArguments()
    .addHelpText('after', USAGE_HELP + STATUS_HELP)
    .action(() => run((interrupt) => runUsageExport(readUsageExportOptions(usage), interrupt)));
  addUsageExportFlags(usage);
}

const CHARGES_HELP = `
FILE appears when it is complete. Until then the charges are in FILE.part. If an export is interrupted, the same
command goes on where it was; Parquet starts over. "charge import FILE" reads CSV and NDJSON back.
`;

const USAGE_HELP = `
FILE appears when it is complete. Until then the rows are in FILE.part, and an export that is interrupted starts over.
FOCUS is by user, provider, type and model per day, unless --by and --window say otherwise.

The file names the sequence of the journal that it is true for. With --as-of and that sequence, and with --from and
--to instead of --last, the command writes the same file again.
`;

const STATUS_HELP = `
docs/export.md lists the columns of each format.

Exit status: 0 done · 1 the service refused · 2 wrong flags, or a file that cannot be written: nothing was written
3 the export gave up, for example because the disk is full · 130 Ctrl-C, 143 SIGTERM
`;
