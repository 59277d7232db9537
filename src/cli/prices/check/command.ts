/** `charge prices check`: usage that has no cost, and what to do about it. */

import { writeFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { PriceServiceService } from '../../../../generated/charge/v1/price_service.ts';
import { EXIT, throwFaults, UsageError, type RunCommand } from '../../command.ts';
import { addConnectionFlags, readServer } from '../../connection.ts';
import { listPrices } from '../../lists.ts';
import { withSession } from '../../session.ts';
import { readRange } from '../../time.ts';
import { historyOf } from '../plan.ts';
import { toJson, toText, type CheckOptions } from './report.ts';
import { templateOf } from './template.ts';

/** Adds the subcommand to the group. */
export function addCheck(prices: Command, run: RunCommand): void {
  const check = prices
    .command('check')
    .summary('find usage that has no price')
    .description('Counts the charges without a cost by what a price would need to name.')
    .option('--from <time>', 'usage from this moment on (default: from the beginning)')
    .option('--to <time>', 'usage before this moment (default: to the end)')
    .option('--csv <path>', 'write a price file with a row for each; fill in the rates and import it')
    .option('--json', 'print one JSON object on standard output')
    .addHelpText(
      'after',
      '\nExit status:\n  0 all charges have a cost · 1 some have none · 2 wrong flags · 3 no answer\n',
    )
    .action(() => run((interrupt) => runCheck(readCheckOptions(check), interrupt)));
  addConnectionFlags(check);
}

/** Reads the command line that commander has taken apart. Throws a {@link UsageError} with every fault. */
function readCheckOptions(command: Command): CheckOptions {
  const flags = command.opts<{ from?: string; to?: string; csv?: string; json?: boolean }>();
  const faults: string[] = [];
  const options = { ...flags, server: readServer(command, faults), ...readRange(flags, faults) };
  throwFaults(faults);
  return options;
}

function runCheck(options: CheckOptions, interrupt: AbortSignal): Promise<number> {
  return withSession(
    { ...options, fields: { start_time: '--from', end_time: '--to' } },
    interrupt,
    async (session) => {
      const range = { startTime: options.from, endTime: options.to };
      const usage = await session.call(PriceServiceService.listUnpricedUsage, range);
      const history = historyOf(await listPrices(session, {}));
      const checked = { usage, history, now: BigInt(Date.now()) * 1000n };
      if (options.csv !== undefined)
        await writeNew(options.csv, templateOf(usage.usages, history, checked.now));
      process.stdout.write(`${options.json ? toJson(checked, options) : toText(checked, options)}\n`);
      return usage.unpricedCharges > 0n ? EXIT.rejected : EXIT.ok;
    },
  );
}

/** Somebody may have filled in the rates of an earlier file. */
async function writeNew(path: string, text: string): Promise<void> {
  await writeFile(path, text, { flag: 'wx' }).catch((error: NodeJS.ErrnoException) => {
    throw new UsageError([
      error.code === 'EEXIST' ? `${path} is there already: delete it, or name another file` : error.message,
    ]);
  });
}
