/** `charge reconcile`: compares sums, journal and stream, and repairs them. */

import { Option, type Command } from 'commander';
import { ReconcileCheck, ReconcileRequest } from '../../../generated/charge/v1/usage_service.ts';
import { throwFaults, type RunCommand } from '../command.ts';
import { addConnectionFlags, readServer } from '../connection.ts';
import { agree } from '../confirm.ts';
import { readRange } from '../time.ts';
import { runReconcile } from './run.ts';

const CHECKS: ReadonlyMap<string, ReconcileCheck> = new Map([
  ['sums', ReconcileCheck.RECONCILE_CHECK_SUMS],
  ['journal', ReconcileCheck.RECONCILE_CHECK_JOURNAL],
  ['stream', ReconcileCheck.RECONCILE_CHECK_STREAM],
]);

/** Adds the subcommand to the program. */
export function addReconcile(program: Command, run: RunCommand): void {
  const command = program
    .command('reconcile')
    .summary('compare sums, journal and stream, and repair them')
    .description(
      'Compares the journal with the charges, the kept sums with the charges, and the stream with the journal. It can ' +
        'run at any time, and takes half of one core of PostgreSQL at most. Without --repair it changes nothing.',
    )
    .addOption(new Option('--check <names>', 'only these, separated by commas: sums, journal, stream'))
    .option('--from <time>', 'sums: only days of UTC from this one on, such as 2026-09-01')
    .option('--to <time>', 'sums: only days of UTC before this one')
    .option('--repair', 'repair what can be repaired without a guess')
    .option('--yes', 'do not ask')
    .option('--json', 'print one JSON object on standard output')
    .addHelpText('after', HELP)
    .action(() => run((interrupt) => reconcile(command, interrupt)));
  addConnectionFlags(command);
}

const HELP = `
It prints a row for each day and kind of finding, and what was compared. --json has every finding, as the RPC sends it.

Exit status:
  0 everything agrees, or is repaired · 1 something does not agree · 2 wrong flags, or no agreement: nothing was done
  3 the comparison did not run to its end · 130 Ctrl-C, 143 SIGTERM: what is repaired by then stays so

docs/reconcile.md says what each finding means.
`;

interface Flags {
  readonly check?: string;
  readonly from?: string;
  readonly to?: string;
  readonly repair?: boolean;
  readonly yes?: boolean;
  readonly json?: boolean;
}

async function reconcile(command: Command, interrupt: AbortSignal): Promise<number> {
  const flags = command.opts<Flags>();
  const faults: string[] = [];
  const server = readServer(command, faults);
  const checks = readChecks(flags.check, faults);
  const { from: startTime, to: endTime } = readRange(flags, faults);
  throwFaults(faults);
  const { repair = false, json = false } = flags;
  if (repair) {
    const question =
      'Repair what is found? That changes kept sums, adds entries to the journal, and publishes events again.';
    await agree(question, flags.yes, interrupt);
  }
  const request = ReconcileRequest.fromPartial({ checks, repair });
  return runReconcile({ server, json, request: { ...request, startTime, endTime } }, interrupt);
}

function readChecks(text: string | undefined, faults: string[]): ReconcileCheck[] {
  if (text === undefined) return [];
  const checks = new Set<ReconcileCheck>();
  for (const name of text.split(',').map((part) => part.trim())) {
    const check = CHECKS.get(name);
    if (check === undefined) faults.push(`--check: ${JSON.stringify(name)} is none of sums, journal, stream`);
    else checks.add(check);
  }
  return [...checks];
}
