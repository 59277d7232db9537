/** `charge prices check`: usage that has no cost, and what to do about it. */

import { writeFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { addressOption, EXIT, UsageError, type RunCommand } from '../../command.ts';
import { failed } from '../failure.ts';
import { historyOf } from '../plan.ts';
import { PriceApi } from '../service.ts';
import { readCheckOptions, type Checked, type CheckOptions } from './options.ts';
import { toJson, toText } from './report.ts';
import { templateOf } from './template.ts';

/** Adds the subcommand to the group. */
export function addCheck(prices: Command, run: RunCommand): void {
  const check = prices
    .command('check')
    .summary('find usage that has no price')
    .description('Counts the charges without a cost by what a price would need to name.')
    .allowExcessArguments()
    .addOption(addressOption())
    .option('--from <time>', 'usage from this moment on (default: from the beginning)')
    .option('--to <time>', 'usage before this moment (default: to the end)')
    .option('--csv <path>', 'write a price file with a row for each; fill in the rates and import it')
    .option('--json', 'print one JSON object on standard output')
    .addHelpText(
      'after',
      '\nExit status:\n  0 all charges have a cost · 1 some have none · 2 wrong flags · 3 no answer\n',
    )
    .action(() => run(() => runCheck(readCheckOptions(check))));
}

async function runCheck(options: CheckOptions): Promise<number> {
  let checked: Checked;
  try {
    checked = await PriceApi.use(options.address, async (api) => ({
      usage: await api.listUnpriced({ startTime: options.from, endTime: options.to }),
      history: historyOf(await api.listAll({ allVersions: true })),
      now: BigInt(Date.now()) * 1000n,
    }));
  } catch (error) {
    return failed(error, 'Nothing was checked.', options.json);
  }
  const { usage, history, now } = checked;
  if (options.csv !== undefined) await writeNew(options.csv, templateOf(usage.usages, history, now));
  process.stdout.write(`${options.json ? toJson(checked, options) : toText(checked, options)}\n`);
  return usage.unpricedCharges > 0n ? EXIT.rejected : EXIT.ok;
}

/** Somebody may have filled in the rates of an earlier file. */
async function writeNew(path: string, text: string): Promise<void> {
  await writeFile(path, text, { flag: 'wx' }).catch((error: NodeJS.ErrnoException) => {
    throw new UsageError([error.code === 'EEXIST' ? `${path} is there already` : error.message]);
  });
}
