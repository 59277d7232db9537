/** Parts of the importer that tests call in their own process. */

import { jest } from '@jest/globals';
import { Command } from 'commander';
import { fieldNamed, type Field } from '../../../src/cli/import/fields.ts';
import { main } from '../../../src/cli/main.ts';
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

/** What the program came to. */
export interface Ran {
  readonly code: number;
  /** Standard output. */
  readonly stdout: string;
  /** Standard error. */
  readonly stderr: string;
}

/** Runs the program in this process, which takes a tenth of the time of a process of its own. One at a time. */
export async function runInProcess(...args: string[]): Promise<Ran> {
  const texts = { stdout: '', stderr: '' };
  const spies = (['stdout', 'stderr'] as const).map((name) =>
    jest.spyOn(process[name], 'write').mockImplementation((chunk) => {
      texts[name] += String(chunk);
      return true;
    }),
  );
  try {
    const code = await main(args);
    return { code, ...texts };
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
}
