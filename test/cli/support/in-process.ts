/** Parts of the importer that tests call in their own process. */

import { Command } from 'commander';
import { fieldNamed, type Field } from '../../../src/cli/import/fields.ts';
import { addFlags, readOptions, type ImportOptions } from '../../../src/cli/import/options.ts';

/** The options that the program reads from these arguments. Throws what the program would report. */
export function readFlags(...args: string[]): ImportOptions {
  const command = new Command()
    .exitOverride()
    .allowExcessArguments()
    .configureOutput({ writeErr: () => undefined });
  addFlags(command);
  return readOptions(command.parse(args, { from: 'user' }));
}

/** The field of that name, which must exist. */
export function field(name: string): Field {
  const found = fieldNamed(name);
  if (!found) throw new Error(`no field ${name}`);
  return found;
}
