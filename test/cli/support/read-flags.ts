/** Reads the flags of an import in this process, as the program does. */

import { Command } from 'commander';
import { addFlags, readOptions, type ImportOptions } from '../../../src/cli/import/options.ts';

/** Returns the options, or throws what the program would report. */
export function readFlags(...args: string[]): ImportOptions {
  const command = new Command()
    .exitOverride()
    .allowExcessArguments()
    .configureOutput({ writeErr: () => undefined });
  addFlags(command);
  return readOptions(command.parse(args, { from: 'user' }));
}
