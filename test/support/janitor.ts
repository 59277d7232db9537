/**
 * A process beside jest that cleans up after it however it ends. Jest runs no teardown after SIGINT, SIGTERM or
 * SIGKILL; this one holds the reading end of a pipe, which closes in every case.
 * Arguments: the directory of the run.
 */
import { removeRunDirectory } from './test-run.ts';

const directory = process.argv[2];
if (directory === undefined) throw new Error('the directory of the run is missing');
process.stdin.resume();
process.stdin.once('close', () => {
  removeRunDirectory(directory).catch((error: unknown) => {
    process.stderr.write(`cannot clean up ${directory}: ${String(error)}\n`);
    process.exitCode = 1;
  });
});
