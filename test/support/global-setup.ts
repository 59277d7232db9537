/** Runs once per jest run: starts a PostgreSQL for all suites, finds a nats-server, and starts the janitor. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { migrate } from '../../src/database/migrate.ts';
import { findNatsServer } from '../../src/embedded/nats-binary.ts';
import { startEmbeddedPostgres } from '../../src/embedded/postgres.ts';
import type { Logger } from '../../src/embedded/process.ts';
import { createTestDatabase, query } from './database.ts';
import { createRunDirectory, removeAbandonedRuns } from './test-run.ts';

// Enough connections for three workers, each with a service and its pools. A crash of the machine, which is all that
// fsync is for, is no test's subject; with it, each DROP DATABASE waited until the changes of all suites were on the
// disk.
const settings = { max_connections: '225', shared_buffers: '64MB', fsync: 'off' };

/**
 * Sets for the suites: CHARGE_TEST_RUN_DIR, TEST_POSTGRES_URL (TEST_DATABASE_URL if that is given),
 * TEST_TEMPLATE_DATABASE and, if a nats-server is found or installed, TEST_NATS_SERVER_BINARY.
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
  process.env['TEST_TEMPLATE_DATABASE'] = await createTemplate(process.env['TEST_POSTGRES_URL']);
  try {
    const cacheDir = fileURLToPath(new URL('../../.cache', import.meta.url));
    process.env['TEST_NATS_SERVER_BINARY'] = await findNatsServer({ cacheDir, logger });
  } catch (error) {
    // Suites without NATS still run. In the others `startTestNats` fails and points to this message.
    logger.error({}, (error as Error).message);
  }
}

/** A migrated database that the suites copy, because a copy takes less time than migrations. */
async function createTemplate(adminUrl: string): Promise<string> {
  const { url } = await createTestDatabase();
  await migrate(url, { lockTimeoutMs: 30_000 });
  const name = new URL(url).pathname.slice(1);
  // PostgreSQL copies no database that somebody is connected to.
  await query(adminUrl, `ALTER DATABASE ${name} ALLOW_CONNECTIONS false`);
  return name;
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
