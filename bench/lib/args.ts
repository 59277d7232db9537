/** The command line of the bench. */

import { parseArgs } from 'node:util';

/** What a run is to do. */
export interface BenchOptions {
  /** Empty: all of them. */
  readonly scenarios: readonly string[];
  readonly rounds: number;
  /** Of one contender in one round. */
  readonly seconds: number;
  /** Write the results there as JSON. */
  readonly out: string | undefined;
  readonly plot: boolean;
  readonly quick: boolean;
  /** Names of contenders; undefined: all of them. */
  readonly only: readonly string[] | undefined;
}

/** Printed for --help and behind every fault. */
export const USAGE = `Usage: npm run bench -- [SCENARIO…] [options]

  --rounds N    rounds of each scenario, contenders in turn (default 5, --quick 2)
  --seconds S   of each contender in each round (default 8, --quick 2)
  --only NAMES  of each scenario only these contenders, separated by commas; ratios with others are left out
  --out FILE    write machine facts, raw rounds, medians and ratios as JSON
  --plot        draw bars below the tables
  --quick       small sizes: for a look, not for figures
  --help        this text
`;

/** The command line is wrong; the message says how. */
export class UsageError extends Error {
  override name = 'UsageError';
}

/** Reads the arguments behind the script's name; throws a {@link UsageError}. */
export function readArgs(args: readonly string[]): BenchOptions | 'help' {
  const { values, positionals } = parse(args);
  if (values.help) return 'help';
  const { quick } = values;
  return {
    scenarios: positionals,
    rounds: readNumber('--rounds', values.rounds ?? (quick ? '2' : '5'), 1, 100),
    seconds: readNumber('--seconds', values.seconds ?? (quick ? '2' : '8'), 0.5, 600),
    out: values.out,
    plot: values.plot,
    quick,
    only: values.only?.split(','),
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        rounds: { type: 'string' },
        seconds: { type: 'string' },
        out: { type: 'string' },
        only: { type: 'string' },
        plot: { type: 'boolean', default: false },
        quick: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function readNumber(name: string, text: string, min: number, max: number): number {
  const value = Number(text);
  if (text.trim() === '' || !(value >= min && value <= max)) {
    throw new UsageError(`${name}: expected a number from ${min} to ${max}, got ${JSON.stringify(text)}`);
  }
  return value;
}
