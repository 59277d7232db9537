/** `npm run import -- FILE`: arguments in, exit status out. See `--help`. */

import { HELP } from './import/help.ts';
import { readOptions, UsageError } from './import/options.ts';
import type { Ending } from './import/report.ts';
import { runImport } from './import/run.ts';

const EXIT: Readonly<Record<Exclude<Ending, 'interrupted'>, number>> = { stored: 0, rejected: 1, aborted: 3 };
const EXIT_USAGE = 2;
const EXIT_SIGNAL = { SIGINT: 130, SIGTERM: 143 } as const;

async function main(): Promise<number> {
  const interrupt = new AbortController();
  let exitOfSignal = 130;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      // Asked twice: the answers are not waited for. Nothing is lost, only not told.
      if (interrupt.signal.aborted) process.exit(exitOfSignal);
      exitOfSignal = EXIT_SIGNAL[signal];
      process.stderr.write(
        '\nstopping: waiting for the answers to what was sent (once more: stop at once)\n',
      );
      interrupt.abort();
    });
  }
  try {
    const options = readOptions(process.argv.slice(2), process.env['LISTEN']);
    if (options === 'help') {
      process.stdout.write(HELP);
      return 0;
    }
    const ending = await runImport(options, process, interrupt.signal);
    return ending === 'interrupted' ? exitOfSignal : EXIT[ending];
  } catch (error) {
    if (interrupt.signal.aborted) return exitOfSignal;
    if (!(error instanceof UsageError)) {
      process.stderr.write(`The import stopped at a defect of the importer: ${(error as Error).stack}\n`);
      return EXIT.aborted;
    }
    const faults = error.faults.map((fault) => `  - ${fault}`).join('\n');
    process.stderr.write(`Nothing was imported:\n${faults}\n--help explains the flags.\n`);
    return EXIT_USAGE;
  }
}

process.exitCode = await main();
