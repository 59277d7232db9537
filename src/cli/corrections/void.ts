/** `charge void`: takes charges out of all totals. */

import type { Command } from 'commander';
import { EXIT, throwFaults, UsageError, type RunCommand } from '../command.ts';
import { agree } from '../confirm.ts';
import { group } from '../progress.ts';
import { withSession } from '../session.ts';
import {
  addCorrectionFlags,
  readChargeId,
  readCorrection,
  readRequestId,
  readUuid,
  type VoidOptions,
} from './flags.ts';
import { selectCharges } from './select-charges.ts';
import { voidCharges } from './void-charges.ts';
import { voidJson, voidText, type VoidReport } from './void-report.ts';

/** Adds the subcommand to the program. */
export function addVoid(program: Command, run: RunCommand): void {
  const command = program
    .command('void')
    .summary('take charges out of all totals')
    .description('Voids charges: they stay on record and keep their request ids, and count in no total.')
    .argument('[ids...]', 'ids of charges')
    .option(
      '--request-id <id>',
      'the charge that this request id made; can be repeated',
      (id: string, before: string[] = []) => [...before, id],
    )
    .option('--import <id>', 'every charge that this import recorded')
    .addHelpText('after', HELP)
    .action(() => run((interrupt) => runVoid(readVoidOptions(command), interrupt)));
  addCorrectionFlags(command);
}

const HELP = `
It shows what it found and asks. Charges that were voided before are counted apart. Running the same command again is
safe: the request id of each void is made of the id of its charge.

Voided charges keep their request ids. To record a corrected file after its import was voided:
  npx charge import FILE --request-id-prefix again:

Exit status: 0 all of the charges are voided · 1 some were refused, each with its reason · 2 wrong flags, or no
agreement: nothing was sent · 3 the service did not answer; run the same command again
`;

/** Reads the command line that commander has taken apart. Throws a {@link UsageError} with every fault. */
function readVoidOptions(command: Command): VoidOptions {
  const flags = command.opts<{ readonly requestId?: string[]; readonly import?: string }>();
  const faults: string[] = [];
  const ids = [...new Set(command.args.map((id) => readChargeId(id, faults)))];
  const requestIds = (flags.requestId ?? []).map((id) => readRequestId(id, faults));
  const importId = flags.import === undefined ? undefined : readUuid(flags.import, 'an import', faults);
  if ((importId !== undefined) === ids.length + requestIds.length > 0)
    faults.push('name the charges by their ids and --request-id, or by --import');
  const options = { ids, requestIds, importId, ...readCorrection(command, faults) };
  throwFaults(faults);
  return options;
}

/** Runs the command and returns the exit status. */
function runVoid(options: VoidOptions, interrupt: AbortSignal): Promise<number> {
  return withSession(options, interrupt, async (session) => {
    const { selection, missing } = await selectCharges(options, session);
    const { size, ids } = selection;
    if (options.importId !== undefined && size === 0)
      throw new UsageError([`no charge was recorded by import ${options.importId}`]);
    process.stderr.write(`${selection.toText()}\n`);
    const report: VoidReport = { options, selection, missing, totals: undefined, failure: undefined };
    if (options.dryRun || ids.length === 0) return finish(report, interrupt);
    await agree(
      `Void ${ids.length === 1 ? 'this charge' : `these ${group(ids.length)} charges`}?`,
      options.yes,
      interrupt,
    );
    return finish({ ...report, ...(await voidCharges(session, ids, options)) }, interrupt);
  });
}

function finish(report: VoidReport, interrupt: AbortSignal): number {
  const { options, selection, missing, totals, failure } = report;
  process.stdout.write(
    `${options.json ? voidJson(report, interrupt.aborted) : voidText(report, interrupt.aborted)}\n`,
  );
  if (failure) return EXIT.failed;
  return selection.amended.length + missing.length + (totals?.refused ?? 0) > 0 ? EXIT.rejected : EXIT.ok;
}
