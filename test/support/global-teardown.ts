/** Runs once at the end of a jest run, also of a failed one. The janitor does the same if jest is killed. */
import { query } from './database.ts';
import { removeRunDirectory } from './test-run.ts';

/** Ends every server of this run and removes its directory. */
export default async function globalTeardown(): Promise<void> {
  const runDirectory = process.env['CHARGE_TEST_RUN_DIR'];
  if (runDirectory !== undefined) await removeRunDirectory(runDirectory);
  const { TEST_DATABASE_URL: given, TEST_TEMPLATE_DATABASE: template } = process.env;
  if (given && template) await query(given, `DROP DATABASE IF EXISTS ${template}`);
}
