/** Runs once per jest run: starts a PostgreSQL for all suites, finds a nats-server, and starts the janitor. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { findNatsServer } from '../../src/embedded/nats-binary.ts';
import { startEmbeddedPostgres } from '../../src/embedded/postgres.ts';
import type { Logger } from '../../src/embedded/process.ts';
import { createRunDirectory, removeAbandonedRuns } from './test-run.ts';

// Enough connections for three workers, each with a service and its pools. Durability is as in production, because the
// tests about lost connections and COMMIT would prove less without it.
const settings = { max_connections: '225', shared_buffers: '64MB' };

/**
 * Sets for the suites: CHARGE_TEST_RUN_DIR, TEST_POSTGRES_URL (TEST_DATABASE_URL if that is given) and, if a
 * nats-server is found or installed, TEST_NATS_SERVER_BINARY.
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
  // Nothing is ever written to the pipe. It closes when this process ends, and that is the message.
  (janitor.stdin as unknown as { unref(): void }).unref();
  janitor.unref();
}
