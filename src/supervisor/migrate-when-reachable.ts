/** The first use of PostgreSQL: waits for it, refuses what cannot work, and migrates. */

import pRetry from 'p-retry';

import { databaseFault } from '../database/database-fault.ts';
import { addressText, parseDatabaseUrl } from '../database/database-url.ts';
import { migrate } from '../database/migrate.ts';
import { openDatabase } from '../database/orm.ts';
import { requireOwnSession } from '../database/pooler.ts';
import { isolationFault, SERVICE_ROLE } from '../database/service-role.ts';
import { classifySqlError, sqlState } from '../database/sql-errors.ts';
import { errorText } from '../errors/describe-error.ts';
import type { Logger } from '../observability/logger.ts';
import { onceAMinute } from '../observability/once-a-minute.ts';
import type { ExternalServices } from './external-services.ts';

/** How long to wait for PostgreSQL to answer, and for each lock; a migration itself may take longer. */
const TIMEOUT_MS = 60_000;
const PERIOD_MS = 500;
const CHECK_TIMEOUT_MS = 5_000;

/** Where the database is: for the service, and for the login that migrates it. Both may be the same. */
export type DatabaseUrls = Pick<ExternalServices, 'databaseUrl' | 'migrationDatabaseUrl'>;

/**
 * Tries again only after what may heal by waiting: a server that is starting, full, or not to be reached. Rejects with
 * PostgreSQL's own words after anything else. Rejects too if `stopping` is aborted, once its statements in PostgreSQL
 * have ended. Warns if the service's sessions may do more than they should, and rejects if they may not use the tables.
 * Resolves to the host and database that it reached, for people.
 */
export async function migrateWhenReachable(
  { databaseUrl, migrationDatabaseUrl }: DatabaseUrls,
  logger: Logger,
  stopping: AbortSignal,
): Promise<string> {
  /** The one that a failure is about. */
  let used = migrationDatabaseUrl;
  const mayLog = onceAMinute();
  const attempt = async (): Promise<string> => {
    let reached = '';
    // Both before anything is changed; the same one once.
    for (used of new Set([migrationDatabaseUrl, databaseUrl])) reached = await requireOwnSession(used);
    used = migrationDatabaseUrl;
    const applied = await migrate(used, { lockTimeoutMs: TIMEOUT_MS, signal: stopping });
    if (applied.length > 0) logger.info({ applied }, 'migrated the database');
    used = databaseUrl;
    const fault = await faultOfSessions(databaseUrl);
    if (fault !== undefined) logger.warn({}, fault);
    return reached;
  };
  try {
    return await pRetry(attempt, {
      signal: stopping,
      retries: Infinity,
      maxRetryTime: TIMEOUT_MS,
      minTimeout: PERIOD_MS,
      factor: 1,
      shouldRetry: ({ error }) => {
        if (stopping.aborted || !mayHeal(error)) return false;
        const { problem, detail } = databaseFault(error);
        if (mayLog(problem))
          logger.warn({ reason: detail }, `cannot use PostgreSQL yet: ${problem}; trying again`);
        return true;
      },
    });
  } catch (error) {
    if (stopping.aborted) throw error;
    const isOneLogin = migrationDatabaseUrl === databaseUrl;
    const variable = used === databaseUrl ? 'DATABASE_URL' : 'MIGRATION_DATABASE_URL';
    const where = `${addressText(parseDatabaseUrl(used))}${isOneLogin ? '' : ` (${variable})`}`;
    const problem = `${errorText(error)}${adviceFor(error, isOneLogin)}`;
    throw new Error(`PostgreSQL at ${where} cannot be used: ${problem}`, { cause: error });
  }
}

/** Of those that this process and its server processes will open. */
async function faultOfSessions(databaseUrl: string): Promise<string | undefined> {
  const database = await openDatabase({
    databaseUrl,
    entities: [],
    poolSizeMax: 1,
    statementTimeoutMs: CHECK_TIMEOUT_MS,
    connectTimeoutMs: CHECK_TIMEOUT_MS,
    applicationName: 'charge-service check',
  });
  return isolationFault(database).finally(() => database.close());
}

function mayHeal(error: Error): boolean {
  return classifySqlError(error) === 'retry' && !isUnsupportedParameter(error);
}

/** PgBouncer says so, with the SQLSTATE that it also has for failures that pass. */
function isUnsupportedParameter(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('unsupported startup parameter');
}

const INSUFFICIENT_PRIVILEGE = '42501';

/** Of privileges, only a migration asks for more than a session of the service has. */
function adviceFor(error: unknown, isOneLogin: boolean): string {
  if (sqlState(error) === INSUFFICIENT_PRIVILEGE) {
    return isOneLogin
      ? '. The login of DATABASE_URL may not migrate this database: set MIGRATION_DATABASE_URL to a login that owns ' +
          `the database, and GRANT ${SERVICE_ROLE} to the one of DATABASE_URL (docs/postgresql.md)`
      : '. The login of MIGRATION_DATABASE_URL needs CREATE on the schema, and must own the tables: let it own the ' +
          'database (docs/postgresql.md)';
  }
  if (!isUnsupportedParameter(error)) return '';
  return (
    '. This is what a pooler says: connect to PostgreSQL directly, or leave "options" out of the URL and set ' +
    'them for the role (ALTER ROLE … SET …)'
  );
}
