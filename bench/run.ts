/** `npm run bench`: see --help. */

import { writeFileSync } from 'node:fs';

import { readArgs } from './lib/args.ts';
import { runBench } from './lib/bench.ts';
import { scenarios } from './scenarios/index.ts';

const options = readArgs(
  process.argv.slice(2),
  scenarios.map(({ name }) => name),
);
try {
  const results = await runBench(scenarios, options);
  if (options.out !== undefined) writeFileSync(options.out, `${JSON.stringify(results, undefined, 2)}\n`);
} catch (error) {
  console.error(error);
  process.exitCode = 1;
}
