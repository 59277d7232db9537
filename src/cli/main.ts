/** The program `charge`: one subcommand per task. `npx charge --help` lists them. */

import { Command, CommanderError } from 'commander';
import { EXIT, UsageError, type RunCommand } from './command.ts';
import { addArchive } from './archive/command.ts';
import { addCorrections } from './corrections/command.ts';
import { addExport } from './export/command.ts';
import { addImport } from './import/command.ts';
import { listenForInterrupt } from './interrupt.ts';
import { addPrices } from './prices/command.ts';
import { addProfiles } from './profiles/command.ts';
import { addReconcile } from './reconcile/command.ts';
import { addAudit } from './tenants/audit.ts';
import { addTenants } from './tenants/command.ts';
import { addKeys } from './tenants/keys.ts';
import { addUsage } from './usage/command.ts';

/** Every subcommand adds itself. A new one is a file of its own and one line here. */
const SUBCOMMANDS = [
  addImport,
  addExport,
  addUsage,
  addPrices,
  addCorrections,
  addReconcile,
  addArchive,
  addProfiles,
  addTenants,
  addKeys,
  addAudit,
];

/** Runs the subcommand that `args` name and returns the exit status of the process. Never rejects. */
export async function main(args: readonly string[]): Promise<number> {
  const interrupt = listenForInterrupt();
  let status: number = EXIT.ok;
  const run: RunCommand = async (command) => {
    status = await command(interrupt.signal);
  };
  try {
    await createProgram(run).parseAsync(args, { from: 'user' });
  } catch (error) {
    if (!interrupt.signal.aborted) status = report(error, args.includes('--json'));
  } finally {
    interrupt.stop();
  }
  return interrupt.signal.aborted ? interrupt.exitStatus : status;
}

/** The program with every subcommand. The one that the arguments name is handed to `run`. */
function createProgram(run: RunCommand): Command {
  const program = new Command('charge')
    .description('Commands for a running Charge Service.')
    .exitOverride()
    .showHelpAfterError('--help explains the flags.');
  for (const add of SUBCOMMANDS) add(program, run);
  return program;
}

/** Tells a person, and a program with `json`, what went wrong and returns the exit status. */
function report(error: unknown, json: boolean): number {
  // Commander has printed its own message by now.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  if (error instanceof UsageError) {
    const faults = error.faults.map((fault) => `  - ${fault}\n`).join('');
    process.stderr.write(`Nothing was sent:\n${faults}--help explains the flags.\n`);
    const refusal = { status: 'refused', faults: error.faults, ...error.details };
    if (json) process.stdout.write(`${JSON.stringify(refusal)}\n`);
    return EXIT.usage;
  }
  process.stderr.write(`Internal error of this program: ${(error as Error).stack}\n`);
  return EXIT.failed;
}
