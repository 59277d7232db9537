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

/** How long to wait for PostgreSQL to answer, and for each lock; a migration itself may take longer. */
const TIMEOUT_MS = 60_000;
const PERIOD_MS = 500;
const CHECK_TIMEOUT_MS = 5_000;

/**
 * Tries again only after what may heal by waiting: a server that is starting, full, or not to be reached. Rejects with
 * PostgreSQL's own words after anything else. Rejects too if `stopping` is aborted, once its statements in PostgreSQL
 * have ended. Warns if the service's sessions may do more than they should, and rejects if they may not use the tables.
 * Resolves to the host and database that it reached, for people.
 */
export async function migrateWhenReachable(
  databaseUrl: string,
  logger: Logger,
  stopping: AbortSignal,
): Promise<string> {
  const attempt = async (): Promise<string> => {
    const reached = await requireOwnSession(databaseUrl);
    const applied = await migrate(databaseUrl, { lockTimeoutMs: TIMEOUT_MS, signal: stopping });
    if (applied.length > 0) logger.info({ applied }, 'migrated the database');
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
        logger.warn({ reason: detail }, `cannot use PostgreSQL yet: ${problem}; trying again`);
        return true;
      },
    });
  } catch (error) {
    if (stopping.aborted) throw error;
    const where = addressText(parseDatabaseUrl(databaseUrl));
    throw new Error(`PostgreSQL at ${where} cannot be used: ${errorText(error)}${adviceFor(error)}`, {
      cause: error,
    });
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

function adviceFor(error: unknown): string {
  if (sqlState(error) === INSUFFICIENT_PRIVILEGE) {
    return (
      '. The role needs CREATE on the schema and all privileges on the tables: let it own the database, or ' +
      `GRANT ${SERVICE_ROLE} to it after a start of this version as the owner`
    );
  }
  if (!isUnsupportedParameter(error)) return '';
  return (
    '. This is what a pooler says: connect to PostgreSQL directly, or leave "options" out of DATABASE_URL and set ' +
    'them for the role (ALTER ROLE … SET …)'
  );
}
