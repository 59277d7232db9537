/** Runs once at the end of a jest run, also of a failed one. The janitor does the same if jest is killed. */
import { removeRunDirectory } from './test-run.ts';

/** Ends every server of this run and removes its directory. */
export default async function globalTeardown(): Promise<void> {
  const runDirectory = process.env['CHARGE_TEST_RUN_DIR'];
  if (runDirectory !== undefined) await removeRunDirectory(runDirectory);
}
