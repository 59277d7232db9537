/**
 * A process that cleans up after jest, however jest ends. Jest runs no teardown after SIGINT, SIGTERM or SIGKILL. This
 * process has the reading end of a pipe from jest, which closes in every case.
 * Argument: the directory of the run.
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
