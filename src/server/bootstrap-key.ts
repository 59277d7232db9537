/** Makes the first key of the operator, directly in the database: for the command `charge key bootstrap`. */

import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';

import { databaseFault, faultText } from '../database/database-fault.ts';
import { DatabaseUrlError } from '../database/database-url.ts';
import { type Database, openDatabase } from '../database/orm.ts';
import { clusterPaths } from '../embedded/postgres-cluster.ts';
import { clusterUrl } from '../embedded/postgres-connect.ts';
import { ServiceError } from '../errors/failure.ts';
import { StartError } from '../errors/start-error.ts';
import { Administration, type Bootstrap, bootstrapApiKey, tenantEntities } from '../tenants/index.ts';

/** Which database, and whether to add a key even if the operator has one. */
export interface BootstrapOptions {
  /** Undefined: the embedded PostgreSQL of the service that runs on `dataDir`. */
  readonly databaseUrl: string | undefined;
  readonly dataDir: string;
  readonly force: boolean;
}

const TIMEOUT_MS = 10_000;

/** Makes the key. Rejects with a {@link StartError} that says what to do if the database cannot be used. */
export async function bootstrapKey(options: BootstrapOptions): Promise<Bootstrap> {
  const databaseUrl = options.databaseUrl ?? embeddedUrl(options.dataDir);
  const database = await open(databaseUrl);
  try {
    const administration = new Administration(database, { retryForMs: 0, retryAfterMs: 0 });
    return await bootstrapApiKey(administration, options.force);
  } catch (error) {
    const cause = error instanceof ServiceError ? error.cause : error;
    throw new StartError(
      `The database cannot be used: ${faultText(databaseFault(cause ?? error))}. The service that uses it must have ` +
        'started once, because it makes the tables',
    );
  } finally {
    await database.close();
  }
}

async function open(databaseUrl: string): Promise<Database> {
  try {
    return await openDatabase({
      databaseUrl,
      entities: tenantEntities,
      poolSizeMax: 1,
      statementTimeoutMs: TIMEOUT_MS,
      connectTimeoutMs: TIMEOUT_MS,
      applicationName: 'charge key bootstrap',
    });
  } catch (error) {
    if (!(error instanceof DatabaseUrlError)) throw error;
    throw new StartError(error.faults.map((fault) => `The URL of the database ${fault}`).join('\n'));
  }
}

/** As the service has written it for psql. */
function embeddedUrl(dataDir: string): string {
  const { serviceFile } = clusterPaths(resolve(dataDir));
  let text: string;
  try {
    text = readFileSync(serviceFile, 'utf8');
  } catch (error) {
    throw new StartError(
      `There is no database: ${(error as Error).message}. Give --database-url, or --data-dir of a running service`,
    );
  }
  const valueOf = (name: string): string => new RegExp(`^${name}=(.*)$`, 'm').exec(text)?.[1] ?? '';
  return clusterUrl(Number(valueOf('port')), valueOf('password'));
}
