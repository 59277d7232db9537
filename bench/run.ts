/** `npm run bench`: see --help. */

import { writeFileSync } from 'node:fs';

import { readArgs, USAGE, UsageError } from './lib/args.ts';
import { runBench } from './lib/bench.ts';

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;

try {
  const options = readArgs(process.argv.slice(2));
  if (options === 'help') {
    console.log(USAGE);
  } else {
    const results = await runBench(options);
    if (options.out !== undefined) writeFileSync(options.out, `${JSON.stringify(results, undefined, 2)}\n`);
  }
} catch (error) {
  const usage = error instanceof UsageError;
  console.error(usage ? `${error.message}\n\n${USAGE}` : error);
  process.exitCode = usage ? EXIT_USAGE : EXIT_FAILED;
}
