/** Once per jest run: one PostgreSQL and the path of a nats-server for all suites, and a janitor for the end. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { findNatsServer } from '../../src/embedded/nats-binary.ts';
import { startEmbeddedPostgres } from '../../src/embedded/postgres.ts';
import type { Logger } from '../../src/embedded/process.ts';
import { createRunDirectory, removeAbandonedRuns } from './test-run.ts';

// Two workers with a service and its pools each, and durability as in production: what the tests show about lost
// connections and COMMIT would mean less without it.
const settings = { max_connections: '150', shared_buffers: '64MB' };

/**
 * Sets CHARGE_TEST_RUN_DIR, TEST_POSTGRES_URL (TEST_DATABASE_URL when that is given) and, unless no nats-server can
 * be had, TEST_NATS_SERVER_BINARY for the suites.
 */
export default async function globalSetup(): Promise<void> {
  await removeAbandonedRuns();
  const runDirectory = createRunDirectory();
  process.env['CHARGE_TEST_RUN_DIR'] = runDirectory;
  startJanitor(runDirectory);
  const given = process.env['TEST_DATABASE_URL'];
  if (given !== undefined && given !== '') {
    process.env['TEST_POSTGRES_URL'] = given;
  } else {
    const postgres = await startEmbeddedPostgres({ dataDir: `${runDirectory}/shared`, logger, settings });
    process.env['TEST_POSTGRES_URL'] = postgres.url;
  }
  try {
    const cacheDir = fileURLToPath(new URL('../../.cache', import.meta.url));
    process.env['TEST_NATS_SERVER_BINARY'] = await findNatsServer({ cacheDir, logger });
  } catch (error) {
    // Suites without NATS still run. In the others `startTestNats` fails and points to this message.
    logger.error({}, (error as Error).message);
  }
}

const logger: Logger = {
  debug: () => undefined,
  info: (details, message) => {
    if (message.includes('install')) print(details, message);
  },
  warn: print,
  error: print,
};

function print(details: object, message: string): void {
  process.stderr.write(`test set-up: ${message} ${JSON.stringify(details)}\n`);
}

function startJanitor(runDirectory: string): void {
  const script = fileURLToPath(new URL('janitor.ts', import.meta.url));
  const janitor = spawn(process.execPath, ['--no-warnings', script, runDirectory], {
    cwd: '/',
    detached: true,
    stdio: ['pipe', 'ignore', 'inherit'],
  });
  // Never written to: the pipe's closing, by whatever ends this process, is the message.
  (janitor.stdin as unknown as { unref(): void }).unref();
  janitor.unref();
}
