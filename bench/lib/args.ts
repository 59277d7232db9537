/** The command line of the bench. */

import { Argument, Command, InvalidArgumentError } from 'commander';

/** What a run is to do. */
export interface BenchOptions {
  /** Empty: all of them. */
  readonly scenarios: readonly string[];
  readonly rounds: number;
  /** Of one contender in one round. */
  readonly seconds: number;
  /** Names of contenders; undefined: all of them. */
  readonly only: readonly string[] | undefined;
  /** The results are written there as JSON. */
  readonly out: string | undefined;
  /** PostgreSQL's data is kept there, with the generated books; undefined: a temporary directory. */
  readonly dir: string | undefined;
  readonly quick: boolean;
}

interface Flags extends Omit<BenchOptions, 'scenarios' | 'rounds' | 'seconds'> {
  readonly rounds?: number;
  readonly seconds?: number;
}

/** Reads the arguments after the program's name. After --help or a wrong argument it prints, and ends the process. */
export function readArgs(args: readonly string[], names: readonly string[]): BenchOptions {
  const command = new Command('npm run bench --')
    .addArgument(new Argument('[scenario...]', 'default: all').choices(names))
    .option(
      '--rounds <n>',
      'rounds of each scenario, contenders in turn (default: 5; quick: 2)',
      between(1, 100),
    )
    .option('--seconds <s>', 'of each contender in each round (default: 8; quick: 2)', between(0.5, 600))
    .option('--only <names>', 'only these contenders, separated by commas', (text) => text.split(','))
    .option('--out <file>', 'write machine facts, rounds, medians and ratios as JSON')
    .option('--dir <directory>', 'keep the data of PostgreSQL there: generated books need not be made again')
    .option('--quick', 'small sizes, to try things out; the figures mean little', false)
    .showHelpAfterError('--help lists scenarios and options')
    .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : EXIT_USAGE))
    .parse(args, { from: 'user' });
  const { rounds, seconds, only, out, dir, quick } = command.opts<Flags>();
  return {
    scenarios: (command.processedArgs[0] as string[] | undefined) ?? [],
    rounds: rounds ?? (quick ? 2 : 5),
    seconds: seconds ?? (quick ? 2 : 8),
    only,
    out,
    dir,
    quick,
  };
}

const EXIT_USAGE = 2;

function between(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === '' || !(value >= min && value <= max)) {
      throw new InvalidArgumentError(`Expected a number from ${min} to ${max}.`);
    }
    return value;
  };
}
